-- Who owns tiles, and where they are. Only reads: for EVALSHA_RO.
--
-- KEYS     {t:…}:meta of each tile
-- reply    of each tile: {incarnation (16 hex), address, epoch, view, epoch of the position, seq}, all as text and empty where there
--          is none; an empty list for a tile that was never taken
local reply = {}
for i, meta in ipairs(KEYS) do
    local values = redis.call('HMGET', meta, 'o', 'a', 'e', 'v', 'p', 's')
    if values[3] then
        for k = 1, 6 do
            values[k] = values[k] or ''
        end
        reply[i] = values
    else
        reply[i] = {}
    end
end
return reply
