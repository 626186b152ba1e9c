-- Places one batch of at most 512 draws on any tiles: every check of every draw first, then every write, since a script
-- does not roll back. Numbers are decimal text unless said otherwise; packed integers are little-endian.
--
-- KEYS     of each tile in turn: {t:…}:meta, :px, :last, :log, :dup0, :dup1;
--          then {u:…}:… of each user to be looked up: with a cooldown all of the batch; {a:…} of each guest's address in it
-- ARGV     1 incarnation (16 hex), 2 cooldown in ms, 3 guests_per_address (0 = off), 4 count of tiles, 5 count of users,
--          then of each tile in turn a head of 8:
--            1 epoch of the taking
--            2 base: the seq that the caller last had acknowledged
--            3 count n of its draws (1 … 512)
--            4 channel
--            5 updates of all draws: offset u16, color u8 each
--            6 users of all draws: u64 each
--            7 when there are users, what the checks need of each draw: nonce u32, color u8, x u16, y u16, number of its user
--              u16, number of its address u16 (both from 1 in the order of KEYS; address 0 = not a guest); else empty
--            8 with cooldown 0, count c of the connections that these draws came from; else 0
--          then, of that tile, n times: #offset, color, seq (base + 1, base + 2, …);
--          then c times: user u64 ‖ connection u64, its window after these draws (40 bytes)
-- reply    of each tile in turn three values: 0 done, 1 FENCED, 2 REWOUND;
--          the previous colors of the draws that were placed, u8 each;
--          what became of each draw, or empty when all were placed:
--            1 when placed now, else 0, u8; verdict u8; seq u32; next nonce u32; wait in ms u32
--
-- With cooldown 0 nothing but the fence is checked here: who owns the tile has recognised the duplicates already. Except of
-- draws that were made while there was a cooldown: they have a user, whose record knows whether they were placed, and they are
-- never placed now. All others have user 0 then.
-- A user's record that is not one of ours (damaged, or of a later layout) is left alone, and the user's draws are READ_ONLY.
--
-- The steps have the names that they have in a Redis Cluster: reserve is of a user's slot, spend of an address', apply
-- of a tile's, commit of a user's. Here they are one script, so nothing is ever left unfinished.
local FENCED, REWOUND = 1, 2
local PLACED, COOLDOWN, STALE, READ_ONLY, ALLOWANCE = 0, 1, 2, 5, 8
local TILE_KEYS, HEAD_LEN, TILE_HEAD_LEN = 6, 5, 8
local GENERATION_MS, READ_ONLY_WAIT_MS = 120000, 1000
local FIRST_COUNTED = 2147483649 -- of the nonces of draws with cooldown 0
local RECORD_LEN, RECORD_LAYOUT = 24, 1

local KEYS, ARGV, call, pcall, sub, floor = KEYS, ARGV, redis.call, redis.pcall, string.sub, math.floor
local pack, unpack_struct = struct.pack, struct.unpack
local owner, cooldown, allowance = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local tile_count, user_count = tonumber(ARGV[4]), tonumber(ARGV[5])

local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)

-- ---- What was handed over ---------------------------------------------------------------------------------------------

-- The tile whose head begins at ARGV[at], and where the next one begins.
local function read_tile(number, at)
    local count, connections, key = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 7]), (number - 1) * TILE_KEYS
    local args = at + TILE_HEAD_LEN
    local windows = args + 3 * count
    local tile = {
        meta = KEYS[key + 1], px = KEYS[key + 2], last = KEYS[key + 3], log = KEYS[key + 4], dup_key = key + 5,
        epoch = ARGV[at], base = ARGV[at + 1], count = count, channel = ARGV[at + 3], updates = ARGV[at + 4],
        users = ARGV[at + 5], draws = ARGV[at + 6], connections = connections, args = args, windows = windows,
        status = 0, colors = '', verdicts = '',
    }
    return tile, windows + 2 * connections
end

-- ---- Fence ------------------------------------------------------------------------------------------------------------

local function fence(tile)
    local stored = call('HMGET', tile.meta, 'e', 'o', 's', 'p')
    if stored[1] ~= tile.epoch or stored[2] ~= owner then
        tile.status = FENCED
    elseif (stored[3] or '0') ~= tile.base then
        tile.status = REWOUND
    end
    tile.previous_epoch = stored[4] or '0'
end

-- ---- Reserve: may this user place now? With a cooldown ----------------------------------------------------------------

local users = {}

local function user_of(number)
    local user = users[number]
    if not user then
        local record = pcall('GET', KEYS[tile_count * TILE_KEYS + number])
        user = {nonce = 0, content = '', seq = 0, landed = nil}
        if type(record) == 'string' and #record == RECORD_LEN and string.byte(record) == RECORD_LAYOUT then
            user.content = sub(record, 2, 6)
            user.nonce, user.seq, user.landed = unpack_struct('<I4I4I8', record, 9)
            -- From the future: the clock was set back. It landed now, and that is kept, for the wait to come to an end.
            if user.landed > now then
                user.landed, user.changed = now, true
            end
        elseif record then
            user.damaged = true
        end
        users[number] = user
    end
    return user
end

-- How long the user still has to wait.
local function wait_of(user)
    if not user.landed then
        return 0
    end
    return math.max(0, user.landed + cooldown - now)
end

-- nil when the draw may go on, else a verdict of which all is known.
local function reserve(user, nonce, content)
    if user.damaged then
        return {READ_ONLY, 0, READ_ONLY_WAIT_MS, nonce}
    end
    local wait = wait_of(user)
    if nonce == user.nonce and content == user.content then
        return {PLACED, user.seq, wait}
    elseif nonce ~= user.nonce + 1 then
        return {STALE, 0, wait}
    elseif wait > 0 then
        return {COOLDOWN, 0, wait}
    end
end

-- With cooldown 0, a draw that was made with one: placed before, or never.
local function recognise(user, nonce, content)
    if user.damaged then
        return {READ_ONLY, 0, READ_ONLY_WAIT_MS, nonce}
    elseif nonce == user.nonce and content == user.content then
        return {PLACED, user.seq, 0, FIRST_COUNTED}
    end
    return {STALE, 0, 0, FIRST_COUNTED}
end

-- ---- Spend: have the guests of this address placed enough? ------------------------------------------------------------

local addresses = {}

local function address_of(number)
    local address = addresses[number]
    if not address then
        local stored = pcall('GET', KEYS[tile_count * TILE_KEYS + user_count + number])
        address = {times = {}}
        -- What is no list of times counts as none, and is written over.
        if type(stored) ~= 'string' or #stored % 8 ~= 0 then
            stored = ''
        end
        for at = 1, #stored, 8 do
            local landed = unpack_struct('<I8', stored, at)
            -- From the future, as above.
            if landed > now then
                landed, address.changed = now, true
            end
            if landed + cooldown > now then
                address.times[#address.times + 1] = landed
            end
        end
        addresses[number] = address
    end
    return address
end

-- nil when the address may have one more, else the verdict.
local function spend(address)
    local times = address.times
    if #times >= allowance then
        return {ALLOWANCE, 0, times[#times - allowance + 1] + cooldown - now}
    end
    times[#times + 1] = now
    address.changed = true
end

-- The verdict of a draw that is not placed now; nil: it is.
local function verdict_of(number, address_number, nonce, content)
    if cooldown == 0 then
        return number > 0 and recognise(user_of(number), nonce, content) or nil
    end
    local verdict = reserve(user_of(number), nonce, content)
    if not verdict and allowance > 0 and address_number > 0 then
        verdict = spend(address_of(address_number))
    end
    return verdict
end

-- Decides each draw of a tile: tile.accepted has the numbers of those to be placed.
local function check(tile)
    local accepted, verdicts, base, all = {}, {}, tonumber(tile.base), true
    for i = 1, tile.count do
        local nonce, content, user_number, address_number = unpack_struct('<I4c5I2I2', tile.draws, 13 * i - 12)
        local verdict = verdict_of(user_number, address_number, nonce, content)
        if verdict then
            all = false
            local user = users[user_number]
            verdicts[i] = pack('<BBI4I4I4', 0, verdict[1], verdict[2], verdict[4] or user.nonce + 1, verdict[3])
        else
            accepted[#accepted + 1] = i
            local seq = base + #accepted
            if cooldown > 0 then
                local user = users[user_number]
                user.nonce, user.content, user.seq, user.landed = nonce, content, seq, now
                user.changed = true
            end
            verdicts[i] = pack('<BBI4I4I4', 1, PLACED, seq, nonce + 1, cooldown)
        end
    end
    tile.accepted, tile.verdicts = accepted, all and '' or table.concat(verdicts)
end

-- ---- Apply: the tile's writes. It can refuse nothing ------------------------------------------------------------------

-- The part of a packed column that belongs to the accepted draws.
local function pick(column, width, accepted)
    local parts = {}
    for k = 1, #accepted do
        parts[k] = sub(column, width * accepted[k] - width + 1, width * accepted[k])
    end
    return table.concat(parts)
end

-- Returns the previous colors and the previous seqs of the pixels, packed. The k-th accepted draw has the k-th seq.
local function write_pixels(tile, accepted, count)
    local px, last, args, at = {}, {}, tile.args, 0
    for k = 1, count do
        local arg = args + 3 * ((accepted and accepted[k] or k) - 1)
        px[at + 1], px[at + 2], px[at + 3], px[at + 4] = 'SET', 'u8', ARGV[arg], ARGV[arg + 1]
        last[at + 1], last[at + 2], last[at + 3], last[at + 4] = 'SET', 'u32', ARGV[arg], ARGV[args + 3 * k - 1]
        at = at + 4
    end
    local colors = string.char(unpack(call('BITFIELD', tile.px, unpack(px))))
    local seqs = pack('<' .. string.rep('I4', count), unpack(call('BITFIELD', tile.last, unpack(last))))
    return colors, seqs
end

-- What the next owner has to know to recognise repetitions.
local function remember(tile)
    local generation = floor(now / GENERATION_MS)
    local dup, generation_text = KEYS[tile.dup_key + generation % 2], string.format('%.0f', generation)
    if call('HGET', dup, 'g') ~= generation_text then
        call('DEL', dup)
        call('HSET', dup, 'g', generation_text)
    end
    call('HSET', dup, unpack(ARGV, tile.windows, tile.windows + 2 * tile.connections - 1))
end

local function apply(tile)
    local accepted = tile.accepted
    local count = accepted and #accepted or tile.count
    if count == 0 then
        return
    end
    local updates, tile_users = tile.updates, tile.users
    if count < tile.count then
        updates, tile_users = pick(updates, 3, accepted), pick(tile_users, 8, accepted)
    end
    local first, last = ARGV[tile.args + 2], ARGV[tile.args + 3 * count - 1]
    local colors, seqs = write_pixels(tile, accepted, count)
    call('XADD', tile.log, last .. '-0', 'l', '1', 'e', tile.epoch, 't', now, 'f', first, 'u', updates,
         'w', tile_users, 'c', colors, 'q', seqs)
    call('HSET', tile.meta, 'p', tile.epoch, 's', last)
    if tile.connections > 0 then
        remember(tile)
    end
    tile.colors = colors
    tile.message = cmsgpack.pack({1, tonumber(tile.previous_epoch), tonumber(tile.epoch), tonumber(first), updates})
end

-- ---- Commit: the users' records and the addresses' times --------------------------------------------------------------

local function commit()
    for number, user in pairs(users) do
        if user.changed then
            call('SET', KEYS[tile_count * TILE_KEYS + number],
                 pack('<Bc5I2I4I4I8', 1, user.content, 0, user.nonce, user.seq, user.landed))
        end
    end
    for number, address in pairs(addresses) do
        if address.changed then
            local times = address.times
            call('SET', KEYS[tile_count * TILE_KEYS + user_count + number],
                 pack('<' .. string.rep('I8', #times), unpack(times)), 'PX', cooldown)
        end
    end
end

-- ---- The batch --------------------------------------------------------------------------------------------------------

local tiles, at = {}, HEAD_LEN + 1
for number = 1, tile_count do
    tiles[number], at = read_tile(number, at)
    fence(tiles[number])
end
if user_count > 0 then
    for _, tile in ipairs(tiles) do
        if tile.status == 0 then
            check(tile)
        end
    end
end
local reply = {}
for number, tile in ipairs(tiles) do
    if tile.status == 0 then
        apply(tile)
    end
    reply[3 * number - 2], reply[3 * number - 1], reply[3 * number] = tile.status, tile.colors, tile.verdicts
end
commit()
for _, tile in ipairs(tiles) do
    if tile.message then
        call('PUBLISH', tile.channel, tile.message)
    end
end
return reply
