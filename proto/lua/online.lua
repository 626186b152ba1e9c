#!lua flags=allow-oom
-- A gateway's beat: how many connections it has. Gateways silent for 10 s are removed.
--
-- KEYS[1]  {cluster}:gateways
-- KEYS[2]  {cluster}:members
-- KEYS[3]  {cluster}:config
-- ARGV     1 gateway id (16 hex), 2 connections, 3 version of the program, if it says one
-- reply    {connections of all gateways, view (0: none), version of the config (0: none)}
local gateways, id, connections = KEYS[1], ARGV[1], tonumber(ARGV[2])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', gateways, id, string.format('%.0f %.0f', connections, now) .. (ARGV[3] and ' ' .. ARGV[3] or ''))

local sum, silent = 0, {}
local all = redis.call('HGETALL', gateways)
for i = 1, #all, 2 do
    local count, beat = string.match(all[i + 1], '^(%d+) (%d+)')
    -- A beat from the future: the clock was set back, and nobody could tell how old it is.
    if not count or math.abs(now - beat) > 10000 then
        silent[#silent + 1] = all[i]
    else
        sum = sum + count
    end
end
if #silent > 0 then
    redis.call('HDEL', gateways, unpack(silent))
end
return {sum, tonumber(redis.call('HGET', KEYS[2], 'view') or 0), tonumber(redis.call('HGET', KEYS[3], 'version') or 0)}
