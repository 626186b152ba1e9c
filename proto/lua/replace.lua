-- Puts what was restored of a tile in the place of what is there, as one. Its epoch rises and nobody owns it: what the owner
-- still has under way meets the fence.
--
-- KEYS     {t:…}:meta, :px, :last, :log, :dup0, :dup1, :new:px, :new:last, :new:log
-- ARGV     1 epoch of the position, 2 seq of the position, 3 checksum (16 hex); seq 0: the tile becomes blank
-- reply    the epoch now
local meta, seq = KEYS[1], ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = math.max(tonumber(redis.call('HGET', meta, 'e') or 0) + 1, now)

redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
redis.call('HDEL', meta, 'o', 'a', 'p', 's', 'k', 'ks')
if seq ~= '0' then
    for i = 2, 4 do
        redis.call('RENAME', KEYS[i + 5], KEYS[i])
    end
    redis.call('HSET', meta, 'p', ARGV[1], 's', seq, 'k', ARGV[3], 'ks', seq)
else
    -- Of another backup, whose restore broke off.
    redis.call('UNLINK', KEYS[7], KEYS[8], KEYS[9])
end
redis.call('HSET', meta, 'e', string.format('%.0f', epoch))
return epoch
