-- Puts what was restored of a tile in the place of what is there, as one. Its epoch rises and nobody owns it: what the owner
-- still has under way meets the fence.
--
-- KEYS     {t:…}:meta, :px, :last, :log, :dup0, :dup1, :new:px, :new:last, :new:log, {cluster}:config
-- ARGV     1 number of the restore (16 hex), 2 epoch of the position, 3 seq of the position, 4 checksum (16 hex); seq 0: the tile
--          becomes blank
-- reply    the epoch now; 0: another restore has taken over; NOTWHOLE: not all of what was restored is there; nothing was done
local meta, seq = KEYS[1], ARGV[3]

if redis.call('HGET', KEYS[10], 'restorer') ~= ARGV[1] then
    return 0
elseif seq ~= '0' and redis.call('EXISTS', KEYS[7], KEYS[8], KEYS[9]) ~= 3 then
    return redis.error_reply('NOTWHOLE what was restored of ' .. meta)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = math.max(tonumber(redis.call('HGET', meta, 'e') or 0) + 1, now)

redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
redis.call('HDEL', meta, 'o', 'a', 'p', 's', 'k', 'ks')
if seq ~= '0' then
    for i = 2, 4 do
        redis.call('RENAME', KEYS[i + 5], KEYS[i])
    end
    redis.call('HSET', meta, 'p', ARGV[2], 's', seq, 'k', ARGV[4], 'ks', seq)
end
redis.call('HSET', meta, 'e', string.format('%.0f', epoch))
return epoch
