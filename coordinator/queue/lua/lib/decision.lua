-- Applies a decision that was made from exactly this version of the head.
--
-- change = {workflow | false, steps, jobs, cancels, events, again}
--   workflow = {state, reason, message, failedStep, closing}; state 0 = unchanged
--   steps    = {{index, state, needs, total, emitted, reason, message, close, closePos, fails seen}, ...}
--              -1 in needs, total, emitted, close, closePos and state 0 = unchanged
--   jobs     = {{step, slot, class, band, cost, input, attempt, replaces, delay ms, queue timeout ms}, ...}: one new job each
--   cancels  = {{step, from, to, reason, state of jobs nobody claimed}, ...}: ends the jobs with ordinals in [from, to)
--   events   = {{code, step, -1, state, agent, reason, message}, ...}: after those of ended jobs, before those of new ones
--   again    = steps to look at again: their work goes on in the next decision
local function new_job(w, spec)
  local s = spec[1]
  local step = step_of(w, s)
  local n = step[S.nextJob]
  step[S.nextJob] = n + 1
  step[S.open] = step[S.open] + 1
  local class, cost, input = spec[3], spec[5], spec[6]
  if spec[8] >= 0 then
    -- A replacement takes over what it replaces; the slot's failure is mended.
    local old = load_job(w.wid .. '-' .. s .. '-' .. spec[8])
    if old then cost, input = old.j[J.cost], old.j[J.input] end
    step[S.bad] = step[S.bad] - 1
  end
  local j = {ST.unassigned, spec[2], class, spec[4], 0, '', cost, '', '', 0, 0, 0, spec[7], now, 0, 0,
    input, '', '', '', -1, 0, spec[8], '', 0, 0}
  local rec = {ref = w.wid .. '-' .. s .. '-' .. n, w = w, s = s, n = n, j = j, dirty = false}
  jobs[rec.ref] = rec
  move(rec)
  if spec[9] > 0 then
    zadd(P .. 't', now + spec[9], 'backoff|' .. rec.ref)
  else
    enqueue(rec)
    event(w, {EV['job.queued'], s, n, ST.unassigned})
  end
  if spec[10] > 0 then zadd(P .. 't', now + spec[9] + spec[10], 'queued|' .. rec.ref) end
end

local function cancel_job(rec, reason, unclaimed_state)
  local j = rec.j
  if terminal(j[J.state]) then return end
  if j[J.hold] > 0 then
    told[#told + 1] = {rec.ref, j[J.token], j[J.agent], reason}
  else
    leave_queue(rec)
    zrem(P .. 't', 'backoff|' .. rec.ref)
  end
  finish(rec, j[J.claims] > 0 and ST.canceled or unclaimed_state, '', reason, '')
end

local function apply(w, change)
  local h = w.h
  touch(w)
  h[H.ver] = h[H.ver] + 1
  local cancels = change[4]
  for i = 1, #cancels do
    local c = cancels[i]
    for n = c[2], c[3] - 1 do
      local rec = load_job(w.wid .. '-' .. c[1] .. '-' .. n)
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
    if c[6] ~= '' then step[S.reason] = c[6] step[S.message] = c[7] end
    if c[8] >= 0 then step[S.close] = c[8] end
    if c[9] >= 0 then step[S.closePos] = c[9] end
    if c[10] > 0 then
      local old, rest = step[S.fails], {}
      for k = c[10] + 1, #old do rest[#rest + 1] = old[k] end
      step[S.fails] = rest
    end
  end
  local list = change[5]
  for i = 1, #list do event(w, list[i]) end
  list = change[6]
  for i = 1, #list do
    local dirty, known = h[H.dirty], false
    for k = 1, #dirty do if dirty[k] == list[i] then known = true break end end
    if not known then dirty[#dirty + 1] = list[i] end
    zadd(P .. 'd', now, w.wid)
  end
  list = change[3]
  for i = 1, #list do new_job(w, list[i]) end
  local wf = change[1]
  if wf then
    if wf[1] ~= 0 then
      h[H.state] = wf[1]
      if terminal(wf[1]) then
        h[H.completedAt] = now
        zrem(P .. 't', 'expire|' .. w.wid)
      end
    end
    if wf[2] ~= '' then h[H.reason] = wf[2] h[H.message] = wf[3] end
    if wf[4] >= 0 then h[H.failedStep] = wf[4] end
    if wf[5] >= 0 then h[H.closing] = wf[5] end
  end
end

-- Takes what the decision saw off `dirty`; the workflow leaves `todo` only when no fact came since, and else waits from now on.
local function settle(w, seen, facts)
  local h = w.h
  if #h[H.dirty] == 0 then return true end
  if h[H.facts] == facts then
    local keep = {}
    for i = 1, #h[H.dirty] do
      local s, gone = h[H.dirty][i], false
      for k = 1, #seen do if seen[k] == s then gone = true break end end
      if not gone then keep[#keep + 1] = s end
    end
    h[H.dirty] = keep
    if #keep == 0 then zrem(P .. 'd', w.wid) return true end
  end
  zadd(P .. 'd', now, w.wid)
  return false
end
