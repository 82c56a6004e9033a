-- What every script begins with: the cell's keys, the clock, the arguments, and records loaded once per call.
--
-- 1. KEYS[1] is the cell's meta key; every other key is made from its prefix (mirrors queue/keys.ts).
-- 2. A record is read at most once and written at most once per call (flush), however many facts touch it.
-- 3. Events of one call on one workflow are one log entry: {first seq, at, commit tag, {event, ...}}.
-- 4. scripts.ts drops functions a script has no use for: each costs 50 ns a call. They begin and end at the margin.
local call, pack = redis.call, cmsgpack.pack
local floor, sub, char, concat = math.floor, string.sub, string.char, table.concat
-- While the cell's slot moves between nodes of a Cluster, keys look absent that are elsewhere. Redis then refuses this
-- command, which names a key that never exists, on both nodes: so a script ends before it has changed anything.
call('EXISTS', KEYS[1], KEYS[1] .. '-')
local P = sub(KEYS[1], 1, -2)
local A = cmsgpack.unpack(ARGV[1])
local clock = call('TIME')
local now = clock[1] * 1000 + floor(clock[2] / 1000)
local OFFERS, LEASES, TIMERS, TODO = P .. 'o', P .. 'l', P .. 't', P .. 'd'

-- A workflow here: {wid, key = its bucket, h = head, raw = step records, parts = the same one by one, open = unpacked ones,
-- log = packed entries, ev = packed events of this call, evs = how many, els = in how many elements, new_plan, chunks}
local works = {}   -- wid -> workflow, false when there is none
local touched = {} -- list of works to write
local jobs = {}    -- ref -> {ref, w = workflow, s = step index, n = ordinal, j = record, run = its run, left}, false when there is none
local moved = {}   -- list of jobs to write
local solos = {}   -- wid -> {wid, q = solo record, new_plan, dirty, held}: one step, one job, on the plain way (records.ts)
local expanded = {} -- jobs that were solo records when this call began
local runs = {}    -- field -> run (run.lua), false when there is none
local dirty_runs = {} -- list of runs to write
local zadds, zrems, zadd_keys, zrem_keys = {}, {}, {}, {}

local buckets = {}
local function bucket(wid)
  local digit = sub(wid, 3, 3)
  local key = buckets[digit]
  if not key then
    key = P .. 'w:' .. digit
    buckets[digit] = key
  end
  return key
end

-- Step and ordinal by what follows the 26 characters of the workflow: nearly always '-0-0', and a match costs 0.3 us.
local places = {}
local function split_ref(ref)
  local rest = sub(ref, 27)
  local place = places[rest]
  if place == nil then
    local s, n = string.match(rest, '^%-(%d+)%-(%d+)$')
    place = s and {tonumber(s), tonumber(n)} or false
    places[rest] = place
  end
  if not place then return nil end
  return sub(ref, 1, 26), place[1], place[2]
end

local function ref_of(wid, s, n)
  if s == 0 and n == 0 then return wid .. '-0-0' end
  return wid .. '-' .. s .. '-' .. n
end

local function zadd(key, score, member)
  local list = zadds[key]
  if not list then list = {} zadds[key] = list zadd_keys[#zadd_keys + 1] = key end
  local size = #list
  list[size + 1] = score
  list[size + 2] = member
end

local function zrem(key, member)
  local list = zrems[key]
  if not list then list = {} zrems[key] = list zrem_keys[#zrem_keys + 1] = key end
  list[#list + 1] = member
end

-- One variadic command per 2,000 items: Lua's stack holds about 8,000.
local function bulk(command, key, list)
  local size = #list
  if size == 0 then return end
  if size <= 4000 then call(command, key, unpack(list)) return end
  for i = 1, size, 4000 do call(command, key, unpack(list, i, math.min(i + 3999, size))) end
end

-- What goes before bytes to make them a msgpack bin, which cmsgpack itself cannot write.
local function bin_header(bytes)
  return '\198' .. spack('>I4', #bytes)
end

local function list_header(size)
  return size < 16 and char(144 + size) or '\220' .. spack('>H', size)
end

-- Word to the other coordinators, one message a call: JSON {origin, workflows, wake-ups, stop orders, new classes}.
local bus_works, bus_wakes, bus_classes, bus_any = {}, {}, {}, false
local told = {} -- {ref, token, agent, reason}: running attempts to stop
