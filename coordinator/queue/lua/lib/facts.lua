-- The legal transitions of a job, each with its counters, lease and events. Every fact goes through one of these.
--
-- 1. Only the exact token of the live lease moves a held job (held).
-- 2. A terminal job never changes.
-- 3. A fact that may need a decision raises `facts`, names the step in `dirty` and puts the workflow on `todo`, where it
--    stands by the time of the first such fact: exactly while `dirty` is not empty.
local function need_decision(w, s)
  local h = w.h
  h[H.facts] = h[H.facts] + 1
  if h[H.dirty] == '' then zadd(TODO, now, w.wid) end
  add_dirty(h, s)
  touch(w)
end

local function terminal(state) return state >= ST.succeeded and state <= ST.skipped end

-- 'ok', 'done' (terminal already, by this very token) or 'lost'.
local function held(rec, token)
  if not rec then return 'lost' end
  local j = rec.j
  if token == '' or j[J.token] ~= token then return 'lost' end
  if terminal(j[J.state]) then return 'done' end
  if j[J.hold] == 0 then return 'lost' end
  return 'ok'
end

local function drop_lease(rec)
  local j = rec.j
  if j[J.hold] > 0 then count_held(rec.w.h[H.tenant], -1) end
  if j[J.hold] == 1 then zrem(OFFERS, rec.ref) elseif j[J.hold] == 2 then zrem(LEASES, rec.ref) end
  j[J.hold] = 0
end

-- A start that any message implies; `at` is the server's time of it.
local function mark_started(rec, at)
  local j, w = rec.j, rec.w
  if j[J.state] == ST.processing then return end
  j[J.state] = ST.processing
  j[J.startedAt] = at
  j[J.message] = ''
  local step, h = step_of(w, rec.s), w.h
  if h[H.state] < ST.processing then
    h[H.state] = ST.processing
    h[H.startedAt] = at
    event(w, EV['workflow.started'], -1, -1, ST.processing)
  end
  if step[S.state] < ST.processing then
    step[S.state] = ST.processing
    step[S.startedAt] = at
    event(w, EV['step.started'], rec.s, -1, ST.processing)
  end
  event(w, EV['job.started'], rec.s, rec.n, ST.processing)
  move(rec)
end

-- lazy: end_in_run_lib
-- Starts and successes of `count` jobs of a run, held by one claim, from ordinal n on: one chunk. Outputs, ages of their starts and
-- run times stand in slice[6] to slice[8] from position `i` on.
local function end_in_run(run, w, step, hold, n, count, slice, i)
  local h, s = w.h, run.s
  local outputs, ages, times = slice[6], slice[7], slice[8]
  if count < #outputs then
    outputs = {unpack(outputs, i, i + count - 1)}
    ages = {unpack(ages, i, i + count - 1)}
    times = {unpack(times, i, i + count - 1)}
  end
  if h[H.state] < ST.processing then
    h[H.state] = ST.processing
    h[H.startedAt] = now - ages[1]
    event(w, EV['workflow.started'], -1, -1, ST.processing)
  end
  if step[S.state] < ST.processing then
    step[S.state] = ST.processing
    step[S.startedAt] = now - ages[1]
    event(w, EV['step.started'], s, -1, ST.processing)
  end
  event_range(w, EV['job.started'], s, n, count, ST.processing)
  event_range(w, EV['job.succeeded'], s, n, count, ST.succeeded, hold[L.agent])
  local first = n - run.q[R.from]
  if not run.made then run.made, run.read = {}, run.read or {} end
  local chunk = {now, hold[L.claimedAt], hold[L.fence] + first - hold[L.from], hold[L.random], hold[L.agent], ages, times, outputs}
  run.made[first], run.read[first] = chunk, chunk
  leave_hold(run, hold, first, count, first)
  count_held(h[H.tenant], -count)
  step[S.open] = step[S.open] - count
  step[S.ok] = step[S.ok] + count
end

-- end lazy

local function names_agent(list, agent)
  return string.find(',' .. list .. ',', ',' .. agent .. ',', 1, true) ~= nil
end

-- Agents by name, each once, the newest 16.
local function with_agent(list, agent)
  if names_agent(list, agent) then return list end
  if list == '' then return agent end
  list = list .. ',' .. agent
  local _, commas = string.gsub(list, ',', ',')
  if commas >= 16 then list = string.match(list, '^[^,]*,(.*)$') end
  return list
end

-- History with the claim that ends, the newest 16. `how`: released, offer_lapsed, stalled, failed, expired.
local function with_claim(j, how, reason, at)
  local list = j[J.history] == '' and {} or cmsgpack.unpack(j[J.history])
  list[#list + 1] = {j[J.attempt], j[J.agent], how, reason, j[J.claimedAt], j[J.startedAt], at}
  if #list > 16 then table.remove(list, 1) end
  return pack(list)
end

local function free(rec)
  local j = rec.j
  drop_lease(rec)
  j[J.token] = ''
  j[J.state] = ST.unassigned
  j[J.message] = ''
  j[J.claimedAt] = 0
  j[J.startedAt] = 0
  j[J.progress] = -1
  j[J.progressSource] = 0
  move(rec)
end

-- Back to the front of its queue, fence void. `code` is the event that tells why, `how` the word its history keeps.
local function requeue(rec, code, reason, how)
  local agent = rec.j[J.agent]
  rec.j[J.history] = with_claim(rec.j, how, reason, now)
  free(rec)
  event(rec.w, code, rec.s, rec.n, ST.unassigned, agent, reason)
  queue_again(rec.j[J.class], rec.j[J.score], rec.j[J.member])
end

local TERMINAL_EVENT = {
  [ST.succeeded] = EV['job.succeeded'],
  [ST.failed] = EV['job.failed'],
  [ST.expired] = EV['job.expired'],
  [ST.canceled] = EV['job.canceled'],
  [ST.skipped] = EV['job.canceled'],
}

-- Ends a job and counts it. The caller decides whether a decision is due.
local function finish(rec, state, output, reason, message)
  local j, w = rec.j, rec.w
  drop_lease(rec)
  j[J.state] = state
  j[J.completedAt] = now
  j[J.output] = output
  j[J.reason] = reason
  j[J.message] = message
  if state == ST.succeeded then j[J.progress] = 1 end
  local step = step_of(w, rec.s)
  step[S.open] = step[S.open] - 1
  if state == ST.succeeded then step[S.ok] = step[S.ok] + 1 else step[S.bad] = step[S.bad] + 1 end
  if reason == '' then event(w, TERMINAL_EVENT[state], rec.s, rec.n, state, j[J.agent])
  else event(w, TERMINAL_EVENT[state], rec.s, rec.n, state, j[J.agent], reason, message) end
  move(rec)
  return step
end

-- A failure a decision must weigh: retry, or the end of the step.
local function fail(rec, state, reason, message, retryable)
  local step = finish(rec, state, '', reason, message)
  local notes = notes_of(step)
  local fails = notes[3]
  fails[#fails + 1] = {rec.n, state, reason, message, rec.j[J.attempt], rec.j[J.slot], retryable and 1 or 0}
  step[S.notes] = pack(notes)
  need_decision(rec.w, rec.s)
end
