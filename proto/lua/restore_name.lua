-- A name of a backup comes back, unless the user has one by now, was erased, or another user has one that looks like it.
--
-- KEYS     1 {u:…}:n:… of the user, 2 {n:…} of the name's skeleton; without a name, KEYS 1 again; 3 {cluster}:config
-- ARGV     1 user u64, 2 the record, 3 number of the restore (16 hex)
-- reply    2 done, 1 not, 0 another restore has taken over
if redis.call('HGET', KEYS[3], 'restorer') ~= ARGV[3] then
    return 0
end
if redis.call('EXISTS', KEYS[1]) == 1 then
    return 1
end
if KEYS[2] ~= KEYS[1] then
    local holder = redis.call('GET', KEYS[2])
    if holder and holder ~= ARGV[1] then
        return 1
    end
    redis.call('SET', KEYS[2], ARGV[1])
end
redis.call('SET', KEYS[1], ARGV[2])
return 2
