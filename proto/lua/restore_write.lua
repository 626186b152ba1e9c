-- One write of a restore, unless another one has taken over (`restore --again`).
--
-- KEYS     1 {cluster}:config, then the keys of the command
-- ARGV     1 number of the restore (16 hex), 2 command, then what comes behind its keys
-- reply    1 done, 0 another restore has taken over
if redis.call('HGET', KEYS[1], 'restorer') ~= ARGV[1] then
    return 0
end
local args = {}
for i = 2, #KEYS do
    args[#args + 1] = KEYS[i]
end
for i = 3, #ARGV do
    args[#args + 1] = ARGV[i]
end
redis.call(ARGV[2], unpack(args))
return 1
