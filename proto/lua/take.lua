-- Takes a tile: from now on only this process, with the epoch of this very reply, can place on it. Refused when the
-- tile was taken in a newer view than the caller's, for then another is its owner.
--
-- A tile that place.lua could not write as a whole is not taken, since a script does not roll back: the error DAMAGED, or
-- WRONGTYPE.
--
-- KEYS     {t:…}:meta, :px, :dup0, :dup1, :last, :log
-- ARGV     1 incarnation (16 hex), 2 address, 3 view
-- reply    {1, epoch, epoch of the position, seq of the position, pixels (may be short), windows, windows}; or
--          {0, view of the taking}. Windows: field, value, field, value … of the duplicates that still count (among
--          them `g`); where both have a field, the one with the greater seq counts.
local meta, incarnation, address, view = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])

local stored = redis.call('HMGET', meta, 'e', 'v', 'p', 's')
local stored_view = tonumber(stored[2] or 0)
if stored_view > view then
    return {0, stored_view}
end

local ending = redis.call('XREVRANGE', KEYS[6], '+', '-', 'COUNT', '1')[1]
local seq = stored[4] or '0'
if ending and ending[1] ~= seq .. '-0' then
    return redis.error_reply('DAMAGED ' .. KEYS[6] .. ' ends at ' .. ending[1] .. ', not at ' .. seq .. '-0')
end
redis.call('BITFIELD', KEYS[5], 'GET', 'u8', '0')
local px = redis.call('GET', KEYS[2]) or ''

local GENERATION_MS = 120000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local generation = math.floor(now / GENERATION_MS)

-- Those of this generation and of the one beside it: the one before, or the one after if the clock was set back.
local function windows(dup)
    local number = tonumber(redis.call('HGET', dup, 'g') or '')
    if not number or math.abs(number - generation) > 1 then
        return {}
    end
    return redis.call('HGETALL', dup)
end
local beside, present = windows(KEYS[3 + (generation + 1) % 2]), windows(KEYS[3 + generation % 2])

-- At least the time: after a restore of older data the epoch still grows over all that the lost data had.
local epoch = math.max((stored[1] or 0) + 1, now)
redis.call('HSET', meta, 'e', string.format('%.0f', epoch), 'o', incarnation, 'a', address, 'v', ARGV[3])
return {1, epoch, tonumber(stored[3] or 0), tonumber(seq), px, beside, present}
