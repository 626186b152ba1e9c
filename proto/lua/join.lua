#!lua flags=allow-oom
-- A shard becomes a member, or says that it still is one. Raises the view unless this very process was in it already.
--
-- KEYS[1]  {cluster}:members
-- ARGV     1 address, 2 incarnation (16 hex), 3 channel of the cluster, 4 version of the program, if it says one
-- reply    the view; the error FULL when there are 256 members already
local members, address, incarnation, channel = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local stored = redis.call('HGET', members, 's:' .. address)
if not stored and #redis.call('HGETALL', members) / 2 > 256 then
    return redis.error_reply('FULL there are 256 shards already')
end
local version = ARGV[4] and ' ' .. ARGV[4] or ''
redis.call('HSET', members, 's:' .. address, incarnation .. ' ' .. string.format('%.0f', now) .. version)
local view = redis.call('HGET', members, 'view')
if view and stored and string.sub(stored, 1, 16) == incarnation then
    return tonumber(view)
end
view = redis.call('HINCRBY', members, 'view', 1)
redis.call('PUBLISH', channel, cmsgpack.pack({3, view}))
return view
