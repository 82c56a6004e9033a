-- What every script begins with: the cell's keys, the clock, the arguments, and records loaded once per call.
--
-- 1. KEYS[1] is the cell's meta key; every other key is made from its prefix (mirrors queue/keys.ts).
-- 2. A record is read at most once and written at most once per call (flush), however many facts touch it.
-- 3. Events of one call on one workflow are one log entry: {first seq, at, commit tag, {event, ...}}.
local P = string.match(KEYS[1], '^(.-{[^}]*}:)')
local A = cmsgpack.unpack(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local call, pack = redis.call, cmsgpack.pack
local pack_one, unpack_at = cmsgpack.pack, cmsgpack.unpack_one
local floor, sub = math.floor, string.sub

local works = {}   -- wid -> {wid, h = head, log = packed entries, ev = events of this call, plan, chunks}
local touched = {} -- list of works to write
local jobs = {}    -- ref -> {ref, w = work, s = step index, n = ordinal, j = record}
local moved = {}   -- list of jobs to write
local zadds, zrems, zadd_keys, zrem_keys = {}, {}, {}, {}

local function bucket(wid) return P .. 'w:' .. sub(wid, 3, 3) end

local function split_ref(ref)
  local wid, s, n = string.match(ref, '^(%w+)-(%d+)-(%d+)$')
  return wid, tonumber(s), tonumber(n)
end

local function work_of(wid, raw, plan)
  local w = works[wid]
  if w == nil then
    if not raw then works[wid] = false return false end
    local off, h = unpack_at(raw, 0)
    w = {wid = wid, h = h, log = off > 0 and sub(raw, off + 1) or '', ev = false, dirty = false, plan = plan, chunks = false}
    works[wid] = w
  end
  return w
end

local function load_work(wid)
  local w = works[wid]
  if w ~= nil then return w end
  return work_of(wid, call('HGET', bucket(wid), wid), nil)
end

local function job_of(ref, w, s, n, raw)
  if not raw then jobs[ref] = false return false end
  local rec = {ref = ref, w = w, s = s, n = n, j = cmsgpack.unpack(raw), dirty = false}
  jobs[ref] = rec
  return rec
end

-- The job and its workflow in one read; false when either is gone.
local function load_job(ref, want_plan)
  local rec = jobs[ref]
  if rec ~= nil then return rec end
  local wid, s, n = split_ref(ref)
  if not wid then jobs[ref] = false return false end
  local w = works[wid]
  if w == nil or (want_plan and w and not w.plan) then
    local r
    if want_plan then r = call('HMGET', bucket(wid), ref, wid, wid .. 'p') else r = call('HMGET', bucket(wid), ref, wid) end
    if w == nil then w = work_of(wid, r[2], r[3]) else w.plan = r[3] end
    if not w then jobs[ref] = false return false end
    return job_of(ref, w, s, n, r[1])
  end
  if not w then jobs[ref] = false return false end
  return job_of(ref, w, s, n, call('HGET', bucket(wid), ref))
end

-- Reads the records of many jobs with one call per bucket; load_job then finds them.
local function prefetch(refs, want_plan)
  local fields, order = {}, {}
  local asked = {}
  for i = 1, #refs do
    local ref = refs[i]
    if jobs[ref] == nil and not asked[ref] then
      asked[ref] = true
      local wid = split_ref(ref)
      if wid then
        local key = bucket(wid)
        local list = fields[key]
        if not list then list = {} fields[key] = list order[#order + 1] = key end
        list[#list + 1] = ref
        if works[wid] == nil and not asked[wid] then
          asked[wid] = true
          list[#list + 1] = wid
          if want_plan then list[#list + 1] = wid .. 'p' end
        end
      end
    end
  end
  for i = 1, #order do
    local key = order[i]
    local list = fields[key]
    local found = call('HMGET', key, unpack(list))
    local k = 1
    while k <= #list do
      local ref = list[k]
      local raw = found[k]
      local wid, s, n = split_ref(ref)
      k = k + 1
      if list[k] == wid then
        work_of(wid, found[k], want_plan and found[k + 1] or nil)
        k = k + (want_plan and 2 or 1)
      end
      local w = works[wid]
      if w then job_of(ref, w, s, n, raw) else jobs[ref] = false end
    end
  end
end

local function prefetch_items(items)
  local refs = {}
  for i = 1, #items do refs[i] = items[i][1] end
  prefetch(refs, false)
end

local function touch(w)
  if not w.dirty then w.dirty = true touched[#touched + 1] = w end
end

local function move(rec)
  if not rec.dirty then rec.dirty = true moved[#moved + 1] = rec end
end

-- Step record by index; marks its holder for writing.
local function step_of(w, s)
  touch(w)
  if s < STEPS_PER_CHUNK then return w.h[H.steps][s + 1] end
  local k = floor(s / STEPS_PER_CHUNK)
  if not w.chunks then w.chunks = {} end
  local chunk = w.chunks[k]
  if not chunk then
    chunk = cmsgpack.unpack(call('HGET', bucket(w.wid), w.wid .. 's' .. k))
    w.chunks[k] = chunk
  end
  return chunk[s - k * STEPS_PER_CHUNK + 1]
end

local function event(w, e)
  touch(w)
  local list = w.ev
  if not list then list = {} w.ev = list end
  list[#list + 1] = e
end

local function zadd(key, score, member)
  local list = zadds[key]
  if not list then list = {} zadds[key] = list zadd_keys[#zadd_keys + 1] = key end
  list[#list + 1] = score
  list[#list + 1] = member
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

-- Word to the other coordinators, one message a call: JSON {origin, workflows, wake-ups, stop orders, new classes}.
local bus_works, bus_wakes, bus_classes, bus_any = {}, {}, {}, false
local told = {} -- {ref, token, agent, reason}: running attempts to stop

-- Writes what the call touched. `tag` names the commit in cursors, `origin` the coordinator that called.
local function flush(tag, origin)
  for i = 1, #zrem_keys do bulk('ZREM', zrem_keys[i], zrems[zrem_keys[i]]) end
  for i = 1, #zadd_keys do bulk('ZADD', zadd_keys[i], zadds[zadd_keys[i]]) end
  local writes, order = {}, {}
  local function put(key, field, value)
    local list = writes[key]
    if not list then list = {} writes[key] = list order[#order + 1] = key end
    list[#list + 1] = field
    list[#list + 1] = value
  end
  for i = 1, #moved do
    local rec = moved[i]
    put(bucket(rec.w.wid), rec.ref, pack(rec.j))
  end
  for i = 1, #touched do
    local w = touched[i]
    local h = w.h
    if w.ev then
      local entry = pack({h[H.seq] + 1, now, tag, w.ev})
      h[H.seq] = h[H.seq] + #w.ev
      w.log = w.log .. entry
      if #w.log > INLINE_EVENT_BYTES then
        call('RPUSH', P .. 'e:' .. w.wid, w.log)
        h[H.listed] = h[H.listed] + 1
        w.log = ''
      end
      local watch = h[H.watch]
      if watch ~= '' and watch ~= origin then bus_any = true bus_works[#bus_works + 1] = w.wid end
    end
    local key = bucket(w.wid)
    if w.chunks then for k, chunk in pairs(w.chunks) do put(key, w.wid .. 's' .. k, pack(chunk)) end end
    if w.new_plan then put(key, w.wid .. 'p', w.new_plan) end
    put(key, w.wid, pack(h) .. w.log)
  end
  for i = 1, #order do bulk('HSET', order[i], writes[order[i]]) end
  if bus_any or #told > 0 then 
    call('SPUBLISH', P .. 'bus', cjson.encode({origin, bus_works, bus_wakes, told, bus_classes}))
  end
end
