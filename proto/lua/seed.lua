-- Writes the canvas' configuration if there is none yet. The first one wins.
--
-- KEYS[1]  {cluster}:config
-- ARGV     name, value, name, value …: width, height, edge, cooldown_ms, guests_per_address, palette, read_only
-- reply    what is stored now, as HGETALL has it: name, value, name, value …
if not redis.call('HGET', KEYS[1], 'version') then
    redis.call('HSET', KEYS[1], 'version', '1', 'user_groups', '64', unpack(ARGV))
end
return redis.call('HGETALL', KEYS[1])
