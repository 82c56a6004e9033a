-- Applies a decision that was made from exactly this version of the head.
--
-- change = {workflow | false, steps, jobs, cancels, events, again, runs}
--   workflow = {state, reason, message, failedStep, closing}; state 0 = unchanged
--   steps    = {{index, state, needs, total, emitted, reason, message, close, closePos, fails seen}, ...}
--              -1 in needs, total, emitted, close, closePos and state 0 = unchanged
--   jobs     = {{step, slot, class, band, cost, input, attempt, replaces, delay ms, queue timeout ms}, ...}: one new job each
--   cancels  = {{step, from, to, reason, state of jobs nobody claimed}, ...}: ends the jobs with ordinals in [from, to)
--   events   = {{code, step, -1, state, agent, reason, message}, ...}: after those of ended jobs, before those of new ones
--   again    = steps to look at again: their work goes on in the next decision
--   runs     = {{step, first slot, class, band, cost, inputs, or how many jobs whose inputs the plan tells}, ...}: further new jobs, first attempts;
--              or as in jobs: the order is that of both lists
-- In the order of JOB_FIELDS in records.ts.
local function new_job_record(slot, class, band, cost, input, attempt, replaces)
  return {ST.unassigned, 0, band, 0, 0, 0, attempt, slot, replaces, 0, now, 0, 0, 0, 0, 0, cost, -1, '', '', class, '', input, '', '', '', '',
    '', ''}
end

local function new_job(w, spec)
  local s = spec[1]
  local step = step_of(w, s)
  local n = step[S.nextJob]
  step[S.nextJob] = n + 1
  step[S.open] = step[S.open] + 1
  local class, cost, input = spec[3], spec[5], spec[6]
  local j = new_job_record(spec[2], class, spec[4], cost, input, spec[7], spec[8])
  if spec[8] >= 0 then
    -- A replacement takes over what it replaces, and who tried it; the slot's failure is mended.
    local old = load_job(ref_of(w.wid, s, spec[8]))
    if old then
      own_input(old)
      local o = old.j
      j[J.cost], j[J.input], j[J.emitBatch] = o[J.cost], o[J.input], o[J.emitBatch]
      j[J.agents], j[J.history] = o[J.agents], o[J.history]
      if o[J.token] ~= '' then
        j[J.agents] = with_agent(o[J.agents], o[J.agent])
        j[J.history] = with_claim(o, o[J.state] == ST.expired and 'expired' or 'failed', o[J.reason], o[J.completedAt])
      end
    end
    step[S.bad] = step[S.bad] - 1
  end
  local rec = {ref = ref_of(w.wid, s, n), w = w, s = s, n = n, j = j, dirty = false}
  jobs[rec.ref] = rec
  move(rec)
  if spec[9] > 0 then
    zadd(TIMERS, now + spec[9], 'backoff|' .. rec.ref)
  else
    enqueue(rec)
    event(w, EV['job.queued'], s, n, ST.unassigned)
  end
  if spec[10] > 0 then zadd(TIMERS, now + spec[9] + spec[10], 'queued|' .. rec.ref) end
end

-- lazy: new_runs_lib
-- One run per block of ordinals; where a block has one already, jobs with records of their own.
local function new_runs(w, spec)
  local s, slot, class, inputs = spec[1], spec[2], spec[3], spec[6]
  local planned = type(inputs) == 'number'
  local left, at = planned and inputs or #inputs, 1
  local step = step_of(w, s)
  while left > 0 do
    local n = step[S.nextJob]
    local count = math.min(left, RUN_JOBS - n % RUN_JOBS)
    local field = run_field(w.wid, s, n, 'r')
    if n % RUN_JOBS > 0 and load_run(w.wid, s, n) then
      for i = at, at + count - 1 do new_job(w, {s, slot + i - 1, class, spec[4], spec[5], planned and '' or inputs[i], 1, -1, 0, 0}) end
    else
      -- In the order of RUN_FIELDS in records.ts.
      local q = {n, count, 0, count, 1, spec[4], planned and 1 or 0, slot + at - 1, now, 0, 0, 0, 0, spec[5], class, '', '', '', ''}
      local run = {wid = w.wid, s = s, key = w.key, field = field, q = q, holds = false, dirty = false, entry = '', waited = 0, stood = 1}
      if not planned then run.new_inputs = pack({unpack(inputs, at, at + count - 1)}) end
      runs[field] = run
      touch_run(run)
      enqueue_run(run, w.h[H.tenant], w.h[H.weight])
      event_range(w, EV['job.queued'], s, n, count, ST.unassigned)
      step[S.nextJob] = n + count
      step[S.open] = step[S.open] + count
    end
    left, at = left - count, at + count
  end
end

-- end lazy

local function cancel_job(rec, reason, unclaimed_state)
  local j = rec.j
  if terminal(j[J.state]) then return end
  if j[J.hold] > 0 then
    told[#told + 1] = {rec.ref, j[J.token], j[J.agent], reason}
  else
    leave_queue(rec)
    zrem(TIMERS, 'backoff|' .. rec.ref)
  end
  finish(rec, j[J.claims] > 0 and ST.canceled or unclaimed_state, '', reason, '')
end

-- Equal changes of a batch are sent and unpacked once: that spares 2 us an item.
local function change_of(change, changes)
  if type(change) == 'number' then return changes[change] end
  return change
end

local function apply(w, change)
  local h = w.h
  touch(w)
  h[H.ver] = h[H.ver] + 1
  local cancels = change[4]
  for i = 1, #cancels do
    local c = cancels[i]
    local refs = {}
    for n = c[2], c[3] - 1 do refs[#refs + 1] = ref_of(w.wid, c[1], n) end
    prefetch(refs)
    for n = c[2], c[3] - 1 do
      local rec = load_job(ref_of(w.wid, c[1], n))
      if rec then cancel_job(rec, c[4], c[5]) end
    end
  end
  local steps = change[2]
  for i = 1, #steps do
    local c = steps[i]
    local step = step_of(w, c[1])
    if c[2] ~= 0 then
      if terminal(c[2]) and not terminal(step[S.state]) then
        h[H.openSteps] = h[H.openSteps] - 1
        if c[2] == ST.succeeded then h[H.okSteps] = h[H.okSteps] + 1 end
        step[S.completedAt] = now
      end
      step[S.state] = c[2]
    end
    if c[3] >= 0 then step[S.needs] = c[3] end
    if c[4] >= 0 then step[S.total] = c[4] end
    if c[5] >= 0 then step[S.emitted] = c[5] end
    if c[8] >= 0 then step[S.close] = c[8] end
    if c[9] >= 0 then step[S.closePos] = c[9] end
    if c[6] ~= '' or c[10] > 0 then
      local notes = notes_of(step)
      if c[6] ~= '' then notes[1] = c[6] notes[2] = c[7] end
      local rest = {}
      for k = c[10] + 1, #notes[3] do rest[#rest + 1] = notes[3][k] end
      notes[3] = rest
      step[S.notes] = pack(notes)
    end
  end
  local list = change[5]
  for i = 1, #list do
    local e = list[i]
    event(w, e[1], e[2], e[3], e[4], e[5], e[6], e[7], e[8])
  end
  local wf = change[1]
  list = wf and terminal(wf[1]) and {} or change[6]
  for i = 1, #list do
    add_dirty(h, list[i])
    zadd(TODO, now, w.wid)
  end
  list = change[3]
  for i = 1, #list do new_job(w, list[i]) end
  list = change[7] or {}
  for i = 1, #list do if #list[i] == 10 then new_job(w, list[i]) else new_runs(w, list[i]) end end
  if wf then
    if wf[1] ~= 0 then
      h[H.state] = wf[1]
      if terminal(wf[1]) then
        h[H.completedAt] = now
        zrem(TIMERS, 'expire|' .. w.wid)
      end
    end
    if wf[2] ~= '' then h[H.reason] = wf[2] h[H.message] = wf[3] end
    if wf[4] >= 0 then h[H.failedStep] = wf[4] end
    if wf[5] >= 0 then h[H.closing] = wf[5] end
  end
end

-- Takes what the decision saw off `dirty`; the workflow leaves `todo` only when it has ended or no fact came since, and
-- else waits from now on.
local function settle(w, seen, facts)
  local h = w.h
  local dirty = h[H.dirty]
  if dirty == '' then return true end
  if terminal(h[H.state]) then
    h[H.dirty] = ''
    zrem(TODO, w.wid)
    return true
  end
  if h[H.facts] == facts then
    local keep = ''
    for at = 1, #dirty, 4 do
      local s, gone = sunpack('>i4', dirty, at), false
      for k = 1, #seen do if seen[k] == s then gone = true break end end
      if not gone then keep = keep .. sub(dirty, at, at + 3) end
    end
    h[H.dirty] = keep
    if keep == '' then zrem(TODO, w.wid) return true end
  end
  zadd(TODO, now, w.wid)
  return false
end
