-- Where most is placed. A tile's score is log2 of the sum of 2^(t / half-life) over its placements: a new one counts more
-- than an old one by what the old one has cooled down since, so nothing that is stored ever has to be cooled down.
--
-- KEYS[1]  {cluster}:heat
-- ARGV     per tile: <tx>:<ty>, placements since the last time
-- reply    nothing of use
local HALF_LIFE_MS, TILES_MAX = 300000, 4096

local time = redis.call('TIME')
local now = (time[1] * 1000 + math.floor(time[2] / 1000)) / HALF_LIFE_MS
local scores = {}
for i = 1, #ARGV, 2 do
    -- As a difference to now, so that no power is too large.
    local stored = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i])) or -math.huge
    local heat = 2 ^ math.min(stored - now, 64) + tonumber(ARGV[i + 1])
    scores[i], scores[i + 1] = string.format('%.17g', now + math.log(heat) / math.log(2)), ARGV[i]
end
redis.call('ZADD', KEYS[1], unpack(scores))
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -TILES_MAX - 1)
return 0
