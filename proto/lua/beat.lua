#!lua flags=allow-oom
-- A shard's lease beat. Renews its own lease and evicts members that have not beaten for longer than the lease.
-- A beat from the future (the clock was set back) counts as one of now, so that nobody stays for ever. And a silence of all
-- members is none of theirs: Redis stood still, or its clock was set ahead. What of it is more than SILENCE_MS, or half a
-- lease, does not count, or the first to beat again would evict the others, whose beats are still on their way.
--
-- KEYS[1]  {cluster}:members
-- KEYS[2]  {cluster}:config
-- ARGV     1 address, 2 incarnation (16 hex), 3 lease in ms, 0 = evict nobody (as after a reconnect, when the others
--          could not beat either), 4 channel of the cluster
-- reply    {1 when the caller is a member (0: it was evicted, or another process has its address), view, version of the
--          config (0: none)}
local SILENCE_MS = 500 -- no longer is a member silent that beats in time

local members, address, incarnation, lease, channel = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)

-- 0: no member's value; it goes as if it had never beaten.
local function read(value)
    local who, beat, version = string.match(value, '^(%x+) (%d+)(.*)$')
    if not who or #who ~= 16 then
        return 0, ''
    end
    return tonumber(beat), version
end

local all = redis.call('HGETALL', members)
local latest = 0
for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == 's:' then
        latest = math.max(latest, (read(all[i + 1])))
    end
end
local lost = math.max(0, now - latest - math.max(SILENCE_MS, math.floor(lease / 2)))

local is_member, view, evicted = 0, 0, {}
for i = 1, #all, 2 do
    local field, value = all[i], all[i + 1]
    if field == 'view' then
        view = tonumber(value)
    elseif string.sub(field, 1, 2) == 's:' then
        local beat, version = read(value)
        local counted = beat > now and now or beat + lost
        if field == 's:' .. address and string.sub(value, 1, 16) == incarnation then
            is_member = 1
            redis.call('HSET', members, field, incarnation .. ' ' .. now_text .. version)
        elseif lease > 0 and now - counted > lease then
            evicted[#evicted + 1] = field
        elseif beat > 0 and counted ~= beat then
            redis.call('HSET', members, field, string.sub(value, 1, 17) .. string.format('%.0f', counted) .. version)
        end
    end
end

if #evicted > 0 then
    redis.call('HDEL', members, unpack(evicted))
    view = redis.call('HINCRBY', members, 'view', 1)
    redis.call('PUBLISH', channel, cmsgpack.pack({3, view}))
end
return {is_member, view, tonumber(redis.call('HGET', KEYS[2], 'version') or 0)}
