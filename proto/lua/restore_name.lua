-- A name of a backup comes back, unless the user has one by now, was erased, or another user has one that looks like it.
--
-- KEYS     1 {u:…}:n:… of the user, 2 {n:…} of the name's skeleton; without a name, KEYS 1 again; 3 {cluster}:config,
--          4 {u:…}:… of the user
-- ARGV     1 user u64, 2 the record, 3 number of the restore (16 hex), 4 how long the name of a user lives who has no record, in ms
-- reply    2 done, 1 not, 0 another restore has taken over
if redis.call('HGET', KEYS[3], 'restorer') ~= ARGV[3] then
    return 0
end
-- As name.lua has it. That somebody was erased (flag 1) is kept for good.
local lives = redis.call('EXISTS', KEYS[4]) == 1 or string.byte(ARGV[2], 2) % 2 == 1
local function keep(key, value)
    if lives then
        redis.call('SET', key, value)
    else
        redis.call('SET', key, value, 'PX', ARGV[4])
    end
end
if redis.call('EXISTS', KEYS[1]) == 1 then
    return 1
end
if KEYS[2] ~= KEYS[1] then
    local holder = redis.call('GET', KEYS[2])
    if holder and holder ~= ARGV[1] then
        return 1
    end
    keep(KEYS[2], ARGV[1])
end
keep(KEYS[1], ARGV[2])
return 2
