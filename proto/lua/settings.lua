-- Changes settings, writes down who did, and tells everybody.
--
-- KEYS[1]  {cluster}:config
-- KEYS[2]  {cluster}:audit
-- ARGV     1 version that the settings were read at, 2 channel of the cluster, 3 who, 4 via (the process), 5 what (the command),
--          6 old value and 7 new value for the audit log, then name, value, name, value … to be stored
-- reply    the version now; 0: there is none, or it is another one, and nothing was done
local config, audit, version = KEYS[1], KEYS[2], ARGV[1]
if redis.call('HGET', config, 'version') ~= version then
    return 0
end
version = string.format('%.0f', tonumber(version) + 1)
-- The entry comes first: a script does not roll back, and nothing is changed without a trace when it is refused.
redis.call('XADD', audit, 'MAXLEN', '~', '65536', '*', 'who', ARGV[3], 'via', ARGV[4], 'what', ARGV[5], 'old', ARGV[6],
           'new', ARGV[7], 'version', version)
redis.call('HSET', config, 'version', version, unpack(ARGV, 8))
redis.call('PUBLISH', ARGV[2], cmsgpack.pack({4, tonumber(version)}))
return tonumber(version)
