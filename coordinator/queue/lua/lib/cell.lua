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
-- log = packed entries, ev = packed events of this call, evs = how many, new_plan, chunks}
local works = {}   -- wid -> workflow, false when there is none
local touched = {} -- list of works to write
local jobs = {}    -- ref -> {ref, w = workflow, s = step index, n = ordinal, j = record}, false when there is none
local moved = {}   -- list of jobs to write
local solos = {}   -- wid -> {wid, q = solo record, new_plan, dirty, held}: one step, one job, on the plain way (records.ts)
local expanded = {} -- jobs that were solo records when this call began
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

-- Queue entries of solo records name the workflow alone: such an entry is that of a job nothing has happened to yet, and a
-- claim need not read it.
local function member_of_solo(wid, place) return string.format('%010x', place) .. ':' .. wid end

local function is_solo_member(member) return #member == 37 end

local function solo_event(code, s, n, state, agent)
  if agent then return char(149, code, s % 256, n % 256, state) .. pack(agent) end
  return char(148, code, s % 256, n % 256, state)
end

-- Turns a solo record into what every other workflow is: head, step and job, and the log its way implies. Written back
-- only when the call touches it.
local function expand(wid)
  local solo = solos[wid]
  local q = solo.q
  local state = q[Q.state]
  local over = state == ST.succeeded
  local log = '\148' .. pack(1, q[Q.createdAt], q[Q.created]) .. '\147' .. solo_event(EV['workflow.created'], -1, -1, ST.unassigned)
    .. solo_event(EV['step.ready'], 0, -1, ST.unassigned) .. solo_event(EV['job.queued'], 0, 0, ST.unassigned)
  local seq = 3
  if state >= ST.scheduled then
    log = log .. '\148' .. pack(4, q[Q.claimedAt], q[Q.claimed]) .. '\145'
      .. solo_event(EV['job.claimed'], 0, 0, ST.scheduled, q[Q.agent])
    seq = 4
  end
  if over then
    log = log .. '\148' .. pack(5, q[Q.completedAt], q[Q.ended]) .. '\150'
      .. solo_event(EV['workflow.started'], -1, -1, ST.processing) .. solo_event(EV['step.started'], 0, -1, ST.processing)
      .. solo_event(EV['job.started'], 0, 0, ST.processing) .. solo_event(EV['job.succeeded'], 0, 0, ST.succeeded, q[Q.agent])
      .. solo_event(EV['step.succeeded'], 0, -1, ST.succeeded) .. solo_event(EV['workflow.succeeded'], -1, -1, ST.succeeded)
    seq = 10
  end
  local open = over and 0 or 1
  -- In the order of HEAD_FIELDS, STEP_FIELDS and JOB_FIELDS in records.ts.
  local h = {over and 2 or 1, 0, state, seq, 0, -1, 0, 0, 1, open, 1 - open, q[Q.weight], q[Q.createdAt], q[Q.startedAt],
    q[Q.completedAt], 0, q[Q.tenant], q[Q.watch], '', q[Q.requestId], '', '', ''}
  local raw = pack_step({state, 0, 1, 1, 1, open, 1 - open, 0, q[Q.startedAt], q[Q.completedAt], 0, 0, ''})
  h[H.stepsBytes] = #raw
  local w = {wid = wid, key = bucket(wid), h = h, raw = raw, parts = false, open = false, packed = false, log = log, ev = '',
    evs = 0, dirty = false, new_plan = false, chunks = false}
  works[wid] = w
  local claimed = state >= ST.scheduled
  local j = {state, state == ST.scheduled and 1 or 0, q[Q.band], 0, claimed and 1 or 0, 0, 1, 0, -1, 0, q[Q.createdAt],
    q[Q.claimedAt], q[Q.startedAt], q[Q.completedAt], q[Q.runMs], q[Q.score], q[Q.cost], over and 1 or -1, q[Q.token], q[Q.agent], q[Q.class],
    member_of_solo(wid, q[Q.place]) .. '-0-0', '', q[Q.output], '', '', '', '', ''}
  local rec = {ref = wid .. '-0-0', w = w, s = 0, n = 0, j = j, dirty = false, entry = not claimed, held = solo.held}
  jobs[rec.ref] = rec
  expanded[#expanded + 1] = rec
  solos[wid] = nil
  return w
end

-- A workflow that was read, and the claim beside it; nil while it stays a solo record.
local function work_of(wid, raw, hold)
  local w = works[wid]
  if w == nil and not solos[wid] then
    if not raw then works[wid] = false return false end
    if string.byte(raw) == SOLO_MARK then
      local q = unpack_solo(raw)
      if hold and q[Q.state] == ST.unassigned then
        local k = unpack_hold(hold)
        q[Q.state], q[Q.claimedAt], q[Q.token], q[Q.claimed], q[Q.agent] = ST.scheduled, k[K.claimedAt], k[K.token],
          k[K.claimed], k[K.agent]
      end
      solos[wid] = {wid = wid, q = q, dirty = false, held = hold}
      return nil
    end
    local h = unpack_head(raw)
    local steps_at = h[H.END]
    local log_at = steps_at + h[H.stepsBytes]
    w = {wid = wid, key = bucket(wid), h = h, raw = sub(raw, steps_at, log_at - 1), parts = false, open = false, packed = false,
      log = sub(raw, log_at), ev = '', evs = 0, dirty = false, new_plan = false, chunks = false}
    works[wid] = w
  end
  return w
end

local function load_work(wid)
  local w = works[wid]
  if w ~= nil then return w end
  if not solos[wid] then
    local r = call('HMGET', bucket(wid), wid, wid .. 'h')
    w = work_of(wid, r[1], r[2])
  end
  if solos[wid] then return expand(wid) end
  return w
end

local function job_of(ref, w, s, n, raw)
  if not raw then jobs[ref] = false return false end
  local rec = {ref = ref, w = w, s = s, n = n, j = unpack_job(raw), dirty = false}
  jobs[ref] = rec
  return rec
end

-- The job and its workflow in one read; false when either is gone.
local function load_job(ref)
  local rec = jobs[ref]
  if rec ~= nil then return rec end
  local wid, s, n = split_ref(ref)
  if not wid then jobs[ref] = false return false end
  if solos[wid] then
    expand(wid)
    rec = jobs[ref]
    if rec ~= nil then return rec end
  end
  local w = works[wid]
  if w == nil then
    local r = call('HMGET', bucket(wid), ref, wid, wid .. 'h')
    w = work_of(wid, r[2], r[3])
    if solos[wid] then
      w = expand(wid)
      rec = jobs[ref]
      if rec ~= nil then return rec end
    end
    if not w then jobs[ref] = false return false end
    return job_of(ref, w, s, n, r[1])
  end
  if not w then jobs[ref] = false return false end
  return job_of(ref, w, s, n, call('HGET', bucket(wid), ref))
end

-- Reads the records of many jobs with one call per bucket; load_job then finds them. Item i's ref begins at `from`.
local function prefetch(refs)
  local fields, order, asked, asked_works = {}, {}, {}, {}
  for i = 1, #refs do
    local ref = refs[i]
    if jobs[ref] == nil and not asked[ref] then
      asked[ref] = true
      local wid = sub(ref, 1, 26)
      local key = bucket(wid)
      local list = fields[key]
      if not list then list = {} fields[key] = list order[#order + 1] = key end
      local size = #list
      list[size + 1] = ref
      if works[wid] == nil and not solos[wid] and not asked_works[wid] then
        asked_works[wid] = true
        list[size + 2] = wid
        -- Only a first job may be a solo record's.
        if sub(ref, 27) == '-0-0' then size = size + 1 list[size + 2] = wid .. 'h' end
      end
    end
  end
  for i = 1, #order do
    local key = order[i]
    local list = fields[key]
    local found = call('HMGET', key, unpack(list))
    local k, size = 1, #list
    while k <= size do
      local ref, raw = list[k], found[k]
      local wid, s, n = split_ref(ref)
      k = k + 1
      if k <= size and #list[k] == 26 then
        local first = sub(ref, 27) == '-0-0'
        work_of(list[k], found[k], first and found[k + 1])
        k = k + (first and 2 or 1)
      end
      local w = wid and works[wid]
      if w then job_of(ref, w, s, n, raw) elseif w == false then jobs[ref] = false end
    end
  end
end

local function prefetch_items(items)
  local refs = {}
  for i = 1, #items do refs[i] = items[i][1] end
  prefetch(refs)
end

local function touch(w)
  if not w.dirty then w.dirty = true touched[#touched + 1] = w end
end

local function move(rec)
  if not rec.dirty then rec.dirty = true moved[#moved + 1] = rec end
end

-- Cuts `count` step records apart.
local function cut_steps(raw, count)
  if count == 1 then return {raw} end
  local parts, at = {}, 1
  for i = 1, count do
    local next = at + STEP_FRONT + 4 + sunpack('>I4', raw, at + STEP_FRONT)
    parts[i] = sub(raw, at, next - 1)
    at = next
  end
  return parts
end

local function steps_bytes(c)
  for i, step in pairs(c.open) do c.parts[i] = pack_step(step) end
  return concat(c.parts)
end

-- Step record by index; marks its holder for writing.
local function step_of(w, s)
  touch(w)
  local c, i = w, s + 1
  if s >= STEPS_PER_CHUNK then
    local k = floor(s / STEPS_PER_CHUNK)
    if not w.chunks then w.chunks = {} end
    c, i = w.chunks[k], i - k * STEPS_PER_CHUNK
    if not c then
      c = {raw = call('HGET', w.key, w.wid .. 's' .. k), parts = false, open = false}
      w.chunks[k] = c
    end
    if not c.parts then c.parts = cut_steps(c.raw, math.min(STEPS_PER_CHUNK, w.h[H.stepCount] - k * STEPS_PER_CHUNK)) end
  elseif not c.parts then
    c.parts = cut_steps(c.raw, math.min(STEPS_PER_CHUNK, w.h[H.stepCount]))
  end
  if not c.open then c.open = {} end
  local step = c.open[i]
  if not step then
    step = unpack_step(c.parts[i])
    c.open[i] = step
  end
  return step
end

-- {reason, message, failures} of a step; keep with step[S.notes] = pack(notes).
local function notes_of(step)
  local notes = step[S.notes]
  if notes == '' then return {'', '', {}} end
  return cmsgpack.unpack(notes)
end

-- Steps with facts no decision has seen: 4 bytes each, so that no list is built where there are none.
local function is_dirty(h, s)
  local dirty = h[H.dirty]
  for at = 1, #dirty, 4 do if sunpack('>i4', dirty, at) == s then return true end end
  return false
end

local function add_dirty(h, s)
  if not is_dirty(h, s) then h[H.dirty] = h[H.dirty] .. spack('>i4', s) end
end

local packed_texts = {}
local function packed_text(text)
  local packed = packed_texts[text]
  if not packed then
    packed = pack(text)
    packed_texts[text] = packed
  end
  return packed
end

-- An event is {code, step, ordinal, state, agent, reason, message, data}, trailing ones left out. Small numbers are their
-- own msgpack (-1 is 255): building the bytes costs 0.1 us, packing a table 0.7.
local function event(w, code, s, n, state, agent, reason, message, data)
  touch(w)
  w.evs = w.evs + 1
  if reason == nil and s < 128 and n < 128 then
    if agent == nil then
      w.ev = w.ev .. char(148, code, s % 256, n % 256, state)
    else
      w.ev = w.ev .. char(149, code, s % 256, n % 256, state) .. packed_text(agent)
    end
  else
    w.ev = w.ev .. pack({code, s, n, state, agent, reason, message, data})
  end
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

-- Word to the other coordinators, one message a call: JSON {origin, workflows, wake-ups, stop orders, new classes}.
local bus_works, bus_wakes, bus_classes, bus_any = {}, {}, {}, false
local told = {} -- {ref, token, agent, reason}: running attempts to stop

-- A workflow's head as stored: head, steps, log. Lua hashes every byte of every string it makes (1.5 ns each): so one
-- concatenation, and the reply of a claim takes the very string that was stored.
local function head_bytes(w)
  local packed = w.packed
  if not packed then
    local h, steps = w.h, w.raw
    if w.open then
      steps = steps_bytes(w)
      h[H.stepsBytes] = #steps
    end
    packed = pack_head(h) .. steps .. w.log
    w.packed = packed
  end
  return packed
end

-- What goes before bytes to make them a msgpack bin, which cmsgpack itself cannot write.
local function bin_header(bytes)
  return '\198' .. spack('>I4', #bytes)
end

local function list_header(size)
  return size < 16 and char(144 + size) or '\220' .. spack('>H', size)
end

local soloed = {} -- list of solo records to write
local hdels = {}  -- bucket -> fields to take away
local held_solos = {} -- bucket -> claims to write: field, value

local function touch_solo(solo)
  if not solo.dirty then solo.dirty = true soloed[#soloed + 1] = solo end
end

local function hold_solo(wid, token, agent, tag)
  local key = bucket(wid)
  local list = held_solos[key]
  if not list then list = {} held_solos[key] = list end
  local size = #list
  list[size + 1] = wid .. 'h'
  list[size + 2] = pack_hold({now, token, tag, agent})
end

-- The record says all there is: the claim beside it goes.
local function drop_hold(wid)
  local key = bucket(wid)
  local list = hdels[key]
  if not list then list = {} hdels[key] = list end
  list[#list + 1] = wid .. 'h'
end

-- Writes what the call touched. `tag` names the commit in cursors, `origin` the coordinator that called.
local function flush(tag, origin)
  -- One record becomes two: both are written, or neither.
  for i = 1, #expanded do
    local rec = expanded[i]
    if rec.dirty or rec.w.dirty then
      local j = rec.j
      touch(rec.w)
      move(rec)
      if rec.held then drop_hold(rec.w.wid) end
      if rec.entry then
        zrem(P .. 'q:' .. j[J.class], sub(j[J.member], 1, -5))
        if j[J.state] == ST.unassigned and j[J.hold] == 0 then zadd(P .. 'q:' .. j[J.class], j[J.score], j[J.member]) end
      end
    end
  end
  for i = 1, #zrem_keys do bulk('ZREM', zrem_keys[i], zrems[zrem_keys[i]]) end
  for i = 1, #zadd_keys do bulk('ZADD', zadd_keys[i], zadds[zadd_keys[i]]) end
  local writes, order = {}, {}
  for key, list in pairs(held_solos) do
    writes[key] = list
    order[#order + 1] = key
  end
  local stamp = pack(now, tag)
  for i = 1, #soloed do
    local solo = soloed[i]
    local key = bucket(solo.wid)
    local list = writes[key]
    if not list then list = {} writes[key] = list order[#order + 1] = key end
    local size = #list
    list[size + 1] = solo.wid
    list[size + 2] = pack_solo(solo.q)
    if solo.held then drop_hold(solo.wid) end
    if solo.new_plan then
      list[size + 3] = solo.wid .. 'p'
      list[size + 4] = solo.new_plan
    end
    local watch = solo.q[Q.watch]
    if watch ~= '' and watch ~= origin then bus_any = true bus_works[#bus_works + 1] = solo.wid end
  end
  for i = 1, #moved do
    local rec = moved[i]
    local key = rec.w.key
    local list = writes[key]
    if not list then list = {} writes[key] = list order[#order + 1] = key end
    local size = #list
    list[size + 1] = rec.ref
    list[size + 2] = pack_job(rec.j)
  end
  for i = 1, #touched do
    local w = touched[i]
    local h, key = w.h, w.key
    if w.evs > 0 then
      w.log = w.log .. '\148' .. pack(h[H.seq] + 1) .. stamp .. list_header(w.evs) .. w.ev
      h[H.seq] = h[H.seq] + w.evs
      if #w.log > INLINE_EVENT_BYTES then
        call('RPUSH', P .. 'e:' .. w.wid, w.log)
        h[H.listed] = h[H.listed] + 1
        w.log = ''
      end
      local watch = h[H.watch]
      if watch ~= '' and watch ~= origin then bus_any = true bus_works[#bus_works + 1] = w.wid end
    end
    local list = writes[key]
    if not list then list = {} writes[key] = list order[#order + 1] = key end
    local size = #list
    list[size + 1] = w.wid
    list[size + 2] = head_bytes(w)
    if w.new_plan then
      list[size + 3] = w.wid .. 'p'
      list[size + 4] = w.new_plan
    end
    if w.chunks then
      for k, c in pairs(w.chunks) do
        size = #list
        list[size + 1] = w.wid .. 's' .. k
        list[size + 2] = c.open and steps_bytes(c) or concat(c.parts)
      end
    end
  end
  for i = 1, #order do bulk('HSET', order[i], writes[order[i]]) end
  for key, list in pairs(hdels) do bulk('HDEL', key, list) end
  if bus_any or #told > 0 then
    call('SPUBLISH', P .. 'bus', cjson.encode({origin, bus_works, bus_wakes, told, bus_classes}))
  end
end
