-- A tile at one moment, for a backup. Only reads: for EVALSHA_RO.
--
-- KEYS     {t:…}:meta, :px, :last
-- reply    {epoch of the position, seq of the position, pixels, last seqs (both may be short)}; {0, 0, '', ''}: never placed on
local position = redis.call('HMGET', KEYS[1], 'p', 's')
return {tonumber(position[1] or 0), tonumber(position[2] or 0), redis.call('GET', KEYS[2]) or '', redis.call('GET', KEYS[3]) or ''}
