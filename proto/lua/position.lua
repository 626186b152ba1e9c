-- Position beats of several tiles: stores the owner's checksum and tells whoever watches where the tile is.
--
-- KEYS     {t:…}:meta of each tile
-- ARGV     1 incarnation (16 hex), then per tile: epoch of the taking, seq, checksum (16 hex), channel of the tile
-- reply    per tile: 0 done, 1 FENCED, 2 REWOUND (the stored seq is another); nothing is done for that tile then
local FENCED, REWOUND = 1, 2
local owner = ARGV[1]

-- The 8 bytes of a u64, little-endian, from its 16 hex digits: a Lua number holds only 53 bits.
local function bytes_of(hex)
    local bytes = string.gsub(hex, '..', function(digits) return string.char(tonumber(digits, 16)) end)
    return string.reverse(bytes)
end

local function beat(meta, epoch, seq, checksum, channel)
    local stored = redis.call('HMGET', meta, 'e', 'o', 'p', 's')
    if stored[1] ~= epoch or stored[2] ~= owner then
        return FENCED
    elseif (stored[4] or '0') ~= seq then
        return REWOUND
    end
    redis.call('HSET', meta, 'k', checksum, 'ks', seq)
    redis.call('PUBLISH', channel, cmsgpack.pack({2, tonumber(stored[3] or 0), tonumber(seq), bytes_of(checksum)}))
    return 0
end

local reply = {}
for i, meta in ipairs(KEYS) do
    reply[i] = beat(meta, unpack(ARGV, 4 * i - 2, 4 * i + 1))
end
return reply
