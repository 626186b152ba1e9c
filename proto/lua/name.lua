-- A user chooses a name, or goes back to the generated one.
--
-- KEYS     1 {u:…}:n:… of the user, 2 {n:…} of the new name's skeleton, 3 {n:…} of the old one's; of a name that is none,
--          KEYS 1 again
-- ARGV     1 user u64, 2 the name that the caller has read, empty: none, 3 the new one, empty: none,
--          4 how long a name is kept before the next, in ms, 5 how long a name given up stays reserved, in ms,
--          6 how long it lives unless it is given again, in ms, 0 = for good
-- reply    {0 done, 1 taken, 2 too soon, 3 erased, 4 the name is another than ARGV 2: read it again; ms to wait}
--
-- In a Redis Cluster these are three steps, each of one slot: claim the new skeleton, store the name, give up the old
-- skeleton. Done in this order, nothing is worse for one that is missing than a name that is reserved in vain.
local DONE, TAKEN, TOO_SOON, ERASED, CHANGED = 0, 1, 2, 3, 4
local HEAD_LEN, LAYOUT = 12, 1
local record_key, claim, old_claim = KEYS[1], KEYS[2], KEYS[3]
local user, old, new, wait_ms, reserved_ms, life_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function keep(key, value)
    if life_ms == '0' then
        redis.call('SET', key, value)
    else
        redis.call('SET', key, value, 'PX', life_ms)
    end
end

local record, changed, stored = redis.call('GET', record_key), 0, ''
if record then
    if #record < HEAD_LEN or string.byte(record) ~= LAYOUT then
        return redis.error_reply('ERR the name is of another layout')
    elseif string.byte(record, 2) % 2 == 1 then
        return {ERASED, 0}
    end
    changed, stored = struct.unpack('<I8', record, 5), string.sub(record, HEAD_LEN + 1)
end
-- From the future: the clock was set back.
local wait = math.max(0, math.min(changed, now) + wait_ms - now)
if stored ~= old then
    return {CHANGED, 0}
elseif new == old then
    if record then
        keep(record_key, record)
        if claim ~= record_key and (redis.call('GET', claim) or user) == user then
            keep(claim, user)
        end
    end
    return {DONE, record and wait or 0}
elseif record and wait > 0 then
    return {TOO_SOON, wait}
end

if new ~= '' then
    local holder = redis.call('GET', claim)
    if holder and holder ~= user then
        return {TAKEN, 0}
    end
    keep(claim, user)
end
keep(record_key, struct.pack('<BBI2I8', LAYOUT, 0, 0, now) .. new)
if old ~= '' and (new == '' or old_claim ~= claim) then
    redis.call('PEXPIRE', old_claim, reserved_ms)
end
return {DONE, wait_ms}
