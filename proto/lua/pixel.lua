-- Who placed a pixel: a walk back over its placements, one log entry for each.
--
-- KEYS     1 {t:…}:px, 2 {t:…}:last, 3 {t:…}:log
-- ARGV     1 offset of the pixel, 2 how many placements (0 … 32), 3 seq of the one to begin with; 0: the newest
-- reply    {now in ms, color, seq of the placement before the last one listed (0: none), placements}, the newest first,
--          of 21 bytes each: seq u32, color u8, user u64, time u64 (ms), little-endian
--
-- A placement that is not of this pixel, or no longer there, ends the list.
local px, last, log = KEYS[1], KEYS[2], KEYS[3]
local offset, limit, seq = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local call, sub, pack, unpack_struct = redis.call, string.sub, struct.pack, struct.unpack

-- The placement with that seq, and the seq of the one before it; nil: it is not there.
local function placement(seq)
    local entry = call('XRANGE', log, string.format('%.0f-0', seq), '+', 'COUNT', 1)[1]
    if not entry then
        return nil
    end
    local of = {}
    for i = 1, #entry[2], 2 do
        of[entry[2][i]] = entry[2][i + 1]
    end
    local at = seq - tonumber(of.f)
    if of.l ~= '1' or at < 0 or unpack_struct('<I2', of.u, 3 * at + 1) ~= offset then
        return nil
    end
    return pack('<I4', seq) .. sub(of.u, 3 * at + 3, 3 * at + 3) .. sub(of.w, 8 * at + 1, 8 * at + 8)
        .. pack('<I8', tonumber(of.t)), (unpack_struct('<I4', of.q, 4 * at + 1))
end

if seq == 0 then
    local stored = call('GETRANGE', last, 4 * offset, 4 * offset + 3)
    seq = #stored == 4 and unpack_struct('>I4', stored) or 0
end

local placements = {}
while #placements < limit and seq > 0 do
    local record, before = placement(seq)
    if not record then
        break
    end
    placements[#placements + 1] = record
    seq = before < seq and before or 0
end

local color, time = call('GETRANGE', px, offset, offset), call('TIME')
return {time[1] * 1000 + math.floor(time[2] / 1000), string.byte(color) or 0, seq, table.concat(placements)}
