-- A user is erased for good: the name goes, and whoever is connected as this user is told to leave.
--
-- KEYS     1 {u:…}:n:… of the user, 2 {n:…} of the name's skeleton; without a name, KEYS 1 again
-- ARGV     1 the name that the caller has read, empty: none, 2 how long nobody may have it, in ms,
--          3 channel, 4 ERASED, packed
-- reply    0 done, also when it had been already; 1 the name is another than ARGV 1: read it again
local HEAD_LEN, LAYOUT, ERASED = 12, 1, 1
local record_key, claim = KEYS[1], KEYS[2]

local record, stored = redis.call('GET', record_key), ''
if record then
    if #record < HEAD_LEN or string.byte(record) ~= LAYOUT then
        return redis.error_reply('ERR the name is of another layout')
    end
    stored = string.sub(record, HEAD_LEN + 1)
end
if stored ~= ARGV[1] then
    return 1
end

local time = redis.call('TIME')
redis.call('SET', record_key, struct.pack('<BBI2I8', LAYOUT, ERASED, 0, time[1] * 1000 + math.floor(time[2] / 1000)))
if stored ~= '' then
    redis.call('SET', claim, string.rep('\0', 8), 'PX', ARGV[2])
end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 0
