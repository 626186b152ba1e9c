#!lua flags=allow-oom
-- A shard leaves the view. Does nothing when another process has its address by now.
--
-- KEYS[1]  {cluster}:members
-- ARGV     1 address, 2 incarnation (16 hex), 3 channel of the cluster
-- reply    the view
local members, address, incarnation, channel = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

local stored = redis.call('HGET', members, 's:' .. address)
if not stored or string.sub(stored, 1, 16) ~= incarnation then
    return tonumber(redis.call('HGET', members, 'view') or 0)
end
redis.call('HDEL', members, 's:' .. address)
local view = redis.call('HINCRBY', members, 'view', 1)
redis.call('PUBLISH', channel, cmsgpack.pack({3, view}))
return view
