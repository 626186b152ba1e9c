#!lua flags=allow-oom
-- A shard's lease beat. Renews its own lease and evicts members that have not beaten for longer than the lease.
-- A beat from the future (the clock was set back) counts as one of now, so that nobody stays for ever.
--
-- KEYS[1]  {cluster}:members
-- KEYS[2]  {cluster}:config
-- ARGV     1 address, 2 incarnation (16 hex), 3 lease in ms, 0 = evict nobody (as after a reconnect, when the others
--          could not beat either), 4 channel of the cluster
-- reply    {1 when the caller is a member (0: it was evicted, or another process has its address), view, version of the
--          config (0: none)}
local members, address, incarnation, lease, channel = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)

local all = redis.call('HGETALL', members)
local is_member, view, evicted = 0, 0, {}
for i = 1, #all, 2 do
    local field, value = all[i], all[i + 1]
    if field == 'view' then
        view = tonumber(value)
    elseif string.sub(field, 1, 2) == 's:' then
        local beat, version = string.match(value, '^%x+ (%d+)(.*)$')
        beat, version = tonumber(beat) or 0, version or ''
        if field == 's:' .. address and string.sub(value, 1, 16) == incarnation then
            is_member = 1
            redis.call('HSET', members, field, incarnation .. ' ' .. now_text .. version)
        elseif beat > now then
            redis.call('HSET', members, field, string.sub(value, 1, 17) .. now_text .. version)
        elseif lease > 0 and now - beat > lease then
            evicted[#evicted + 1] = field
        end
    end
end

if #evicted > 0 then
    redis.call('HDEL', members, unpack(evicted))
    view = redis.call('HINCRBY', members, 'view', 1)
    redis.call('PUBLISH', channel, cmsgpack.pack({3, view}))
end
return {is_member, view, tonumber(redis.call('HGET', KEYS[2], 'version') or 0)}
