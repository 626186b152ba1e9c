-- Begins and ends a restore: `restores` becomes odd, and even again. In between `restorer` is the number of the one that is at
-- it: whoever began last. All other scripts of a restore change nothing for any other.
--
-- KEYS[1]  {cluster}:config
-- KEYS[2]  {cluster}:audit
-- ARGV     1 'begin', 'again' (though one was begun already) or 'end', 2 version that the settings were read at (0: there were none;
--          end: not looked at), 3 channel of the cluster, 4 who, 5 what is restored (for the audit log), 6 number of the restore
--          (16 hex), then name, value, name, value … to be stored
-- reply    the version now; 0: it is another than the one given; -1: begin, but one was begun already; -2: end, but another
--          restore has taken over
local config, audit, step = KEYS[1], KEYS[2], ARGV[1]

local stored = redis.call('HGET', config, 'version') or '0'
if step ~= 'end' and stored ~= ARGV[2] then
    return 0
end
local restores = tonumber(redis.call('HGET', config, 'restores') or 0)
local begun = restores % 2 == 1
if step == 'begin' and begun then
    return -1
elseif step == 'end' and redis.call('HGET', config, 'restorer') ~= ARGV[6] then
    return -2
end
if step == 'end' or not begun then
    restores = restores + 1
end
local version = string.format('%.0f', tonumber(stored) + 1)
-- The entry comes first: a script does not roll back, and nothing is changed without a trace when it is refused.
redis.call('XADD', audit, 'MAXLEN', '~', '65536', '*', 'who', ARGV[4], 'via', 'tessera-ctl', 'what', 'restore ' .. step, 'old', '',
           'new', ARGV[5], 'version', version)
redis.call('HSET', config, 'version', version, 'restores', string.format('%.0f', restores), 'restorer', unpack(ARGV, 6))
if step == 'end' then
    redis.call('HDEL', config, 'restorer')
end
redis.call('PUBLISH', ARGV[3], cmsgpack.pack({4, tonumber(version)}))
return tonumber(version)
