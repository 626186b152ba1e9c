-- Takes a tile: from now on only this process, with the epoch of this very reply, can place on it. Refused when the
-- tile was taken in a newer view than the caller's, for then another is its owner.
--
-- KEYS     {t:…}:meta, :px, :dup0, :dup1
-- ARGV     1 incarnation (16 hex), 2 address, 3 view
-- reply    {1, epoch, epoch of the position, seq of the position, pixels (may be short), older windows, newer windows};
--          or {0, view of the taking}. Windows: field, value, field, value … of the duplicates that still count (among
--          them `g`); where both have a field, the newer counts.
local meta, incarnation, address, view = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])

local stored = redis.call('HMGET', meta, 'e', 'v', 'p', 's')
local stored_view = tonumber(stored[2] or 0)
if stored_view > view then
    return {0, stored_view}
end

-- At least the time: after a restore of older data the epoch still grows over all that the lost data had.
local GENERATION_MS = 120000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = math.max((stored[1] or 0) + 1, now)

redis.call('HSET', meta, 'e', string.format('%.0f', epoch), 'o', incarnation, 'a', address, 'v', ARGV[3])

local function windows(generation)
    local dup = KEYS[3 + generation % 2]
    if redis.call('HGET', dup, 'g') ~= string.format('%.0f', generation) then
        return {}
    end
    return redis.call('HGETALL', dup)
end
local generation = math.floor(now / GENERATION_MS)
return {1, epoch, tonumber(stored[3] or 0), tonumber(stored[4] or 0), redis.call('GET', KEYS[2]) or '',
        windows(generation - 1), windows(generation)}
