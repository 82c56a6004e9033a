#!lua
-- purpose: creates workflows and enqueues what can run at once; one call for all that one event-loop turn has
-- keys: cell meta
-- args: [tag: string, origin: string, items: SubmitItem[], classes: [name: string, requirement: string][], changes?: Change[], solos?: SoloItem[]]
-- returns: SubmitReply[] (of the items, then of the solos)
-- edges: (none) -> unassigned
-- emits: workflow.created, step.ready, job.queued, and for a workflow of nothing but empty steps the terminal events
-- idempotent: an id that exists is answered 'exists' and left alone
-- use: cell queue facts decision
local out = {}
local classes, changes, lone = A[4], A[5], A[6] or {}
for i = 1, #classes do
  if call('HSETNX', P .. 'c', classes[i][1], classes[i][2]) == 1 then
    bus_any = true
    bus_classes[#bus_classes + 1] = classes[i][1]
  end
end
local created = {}
-- Who is there already: a call per bucket. `works` then holds true for those.
local fields = {}
local function look_for(items)
  for i = 1, #items do
    local wid = items[i][1]
    local key = bucket(wid)
    local list = fields[key]
    if not list then list = {} fields[key] = list end
    list[#list + 1] = wid
  end
end

look_for(A[3])
look_for(lone)
for key, list in pairs(fields) do
  local found = call('HMGET', key, unpack(list))
  for i = 1, #list do if found[i] then works[list[i]] = true end end
end

-- A step nobody has touched, in the order of STEP_FIELDS in records.ts.
local fresh = {}
local function fresh_step(needs)
  local step = fresh[needs]
  if not step then
    step = pack_step({ST.unassigned, needs, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, ''})
    fresh[needs] = step
  end
  return step
end

for i = 1, #A[3] do
  -- item = {wid, tenant, weight, request id, number of the plan's ARGV, needs of each step, watch, change or its number in changes, expire ms}
  local item = A[3][i]
  local wid = item[1]
  if works[wid] then
    out[i] = {'exists', 0}
  else
    local needs = item[6]
    local parts, chunks = {}, false
    for s = 1, #needs do
      local step = fresh_step(needs[s])
      if s <= STEPS_PER_CHUNK then
        parts[s] = step
      else
        local k = floor((s - 1) / STEPS_PER_CHUNK)
        if not chunks then chunks = {} end
        if not chunks[k] then chunks[k] = {parts = {}, open = false} end
        chunks[k].parts[s - k * STEPS_PER_CHUNK] = step
      end
    end
    -- The head in the order of HEAD_FIELDS in records.ts.
    local h = {0, 0, ST.unassigned, 0, 0, -1, 0, 0, #needs, #needs, 0, item[3], now, 0, 0, 0, item[2], item[7], '', item[4], '', '', ''}
    local plan = ARGV[item[5]]
    local w = {wid = wid, key = bucket(wid), h = h, raw = '', parts = parts, open = {}, packed = false, log = '', ev = '', evs = 0, els = 0,
      dirty = false, new_plan = plan, chunks = chunks}
    works[wid] = w
    event(w, EV['workflow.created'], -1, -1, ST.unassigned)
    apply(w, change_of(item[8], changes))
    if item[9] > 0 and not terminal(w.h[H.state]) then zadd(TIMERS, now + item[9], 'expire|' .. wid) end
    created[#created + 1] = wid
    out[i] = {'created', w.h[H.seq] + w.evs}
  end
end
-- The whole of a plain workflow of one step with one job: no decision is needed to begin it, nor when it succeeds.
for i = 1, #lone do
  -- item = {wid, tenant, weight, request id, number of the plan's ARGV, watch, class, band, cost}
  local item = lone[i]
  local wid = item[1]
  if works[wid] then
    out[#out + 1] = {'exists', 0}
  else
    works[wid] = true
    -- In the order of SOLO_FIELDS in records.ts.
    local q = {SOLO_MARK, ST.unassigned, item[8], now, 0, 0, 0, 0, item[3], 0, 0, item[9], '', A[1], '', '', '', item[6], item[2],
      item[4], item[7], ''}
    enqueue_solo(wid, q)
    touch_solo({wid = wid, q = q, new_plan = ARGV[item[5]], dirty = false})
    created[#created + 1] = wid
    out[#out + 1] = {'created', 3}
  end
end
if #created > 0 then bulk('RPUSH', P .. 'x:' .. floor(now / 86400000), created) end
flush_queue(A[2])
flush(A[1], A[2])
return pack(out)
