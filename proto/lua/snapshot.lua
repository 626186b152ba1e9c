-- A tile at one moment.
--
-- KEYS[1]  {t:…}:meta
-- KEYS[2]  {t:…}:px
-- reply    {epoch of the position, seq of the position, pixels (may be short)}; {0, 0, ''}: never placed on
local position = redis.call('HMGET', KEYS[1], 'p', 's')
return {tonumber(position[1] or 0), tonumber(position[2] or 0), redis.call('GET', KEYS[2]) or ''}
