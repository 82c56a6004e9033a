#!lua flags=allow-oom
-- purpose: ends claimed jobs, and where the coordinator decided ahead of it, commits that decision in the same call
-- keys: cell meta
-- args: [tag: string, origin: string, items: CompleteItem[], changes?: Change[], slices?: CompletedSlice[]]
-- returns: [replies: CompleteReply[], told: Told[]] (replies of the items, then of the slices' jobs)
-- edges: scheduled|preparing|processing -> succeeded|failed|expired
-- emits: workflow.started, step.started, job.started (where not said before), job.succeeded|failed|expired, and the decision's
-- idempotent: a job ended by the same token is answered 'done'
-- use: cell queue facts decision
local out, wasted = {}, 0

-- A reply in msgpack: few differ, so most are made once a call.
local replies = {}
local function reply(live, decided, todo, state)
  local key = (state * 2 + todo) * 2 + decided
  local known = live == 'ok' and replies[key]
  if not known then
    known = pack({live, decided, todo, state})
    if live == 'ok' then replies[key] = known end
  end
  return known
end

-- One item.
local function complete(i, it)
  -- item = {ref, token, state, output, reason, message, retryable, start age ms, run ms, ver, facts,
  -- change or its number in changes or false, seen, why content was blocked}
  local solo = solos[sub(it[1], 1, 26)]
  local q = solo and solo.q
  local rec, live
  -- A solo record's success decides itself; all else that can happen to it happens to head, step and job.
  local its = q and sub(it[1], 27) == '-0-0'
  local fenced = its and it[2] ~= '' and q[Q.token] == it[2]
  local plain = fenced and it[3] == ST.succeeded
  if its and not fenced then
    live = 'lost'
  elseif not plain then
    rec = load_job(it[1])
    live = held(rec, it[2])
  end
  if plain and q[Q.state] == ST.scheduled then
    q[Q.state] = ST.succeeded
    q[Q.startedAt] = now - it[8]
    q[Q.completedAt] = now
    q[Q.runMs] = it[9]
    q[Q.ended] = A[1]
    q[Q.output] = it[4]
    touch_solo(solo)
    count_held(q[Q.tenant], -1)
    zrem(OFFERS, it[1])
    out[i] = reply('ok', 1, 0, ST.succeeded)
  elseif plain then
    out[i] = reply('done', 0, 0, ST.succeeded)
  elseif live ~= 'ok' then
    if live == 'lost' then wasted = wasted + 1 end
    out[i] = reply(live, 0, 0, rec and rec.w.h[H.state] or its and q[Q.state] or 0)
  else
    local w, s = rec.w, rec.s
    local h = w.h
    local match = it[12] and h[H.ver] == it[10] and h[H.facts] == it[11]
    mark_started(rec, now - it[8])
    rec.j[J.runMs] = it[9]
    local todo = 0
    if it[3] == ST.succeeded then
      local step = finish(rec, it[3], it[4], '', '')
      if match then
        apply(w, change_of(it[12], A[4]))
        settle(w, it[13], h[H.facts])
      elseif step[S.open] == 0 or step[S.close] ~= 0 then
        need_decision(w, s)
        todo = 1
      end
    else
      match = false
      todo = 1
      rec.j[J.blocked] = it[14] or ''
      fail(rec, it[3], it[5], it[6], it[7] == 1)
    end
    out[i] = reply('ok', match and 1 or 0, todo, h[H.state])
  end
end

-- lazy: slice_lib
-- Successes of jobs of one run whose end decides nothing: those of a row and one claim are written as one.
local function complete_slice(at, slice)
  -- slice = {wid, step, ordinals, tokens' numbers, their random half, outputs, start ages ms, run ms}
  local wid, s, ordinals, fences, random = slice[1], slice[2], slice[3], slice[4], slice[5]
  local i, size = 1, #ordinals
  while i <= size do
    local n = ordinals[i]
    local w = load_work(wid)
    local run = w and load_run(wid, s, n)
    local count = 0
    local q, first, hold
    if run then
      q, first = run.q, n - run.q[R.from]
      hold = first >= 0 and first < q[R.next] and hold_at(run, first)
      local base = hold and hold[L.random] == random and hold[L.fence] - hold[L.from]
      local last = base and hold[L.from] + hold[L.count] - 1 or -1
      while base and i + count <= size and ordinals[i + count] == n + count and first + count <= last
        and fences[i + count] == base + first + count and jobs[ref_of(wid, s, n + count)] == nil
        and not gone_from(run)[first + count] do
        count = count + 1
      end
    end
    local step = count > 0 and step_of(w, s)
    -- An end that may be decided upon is one job's.
    if count > 0 and step[S.close] == 0 and step[S.open] > count then
      end_in_run(run, w, step, hold, n, count, slice, i)
      for k = i, i + count - 1 do out[at + k] = reply('ok', 0, 0, w.h[H.state]) end
      i = i + count
    else
      complete(at + i, {ref_of(wid, s, n), token_text(fences[i], random), ST.succeeded, slice[6][i], '', '', 0, slice[7][i],
        slice[8][i], 0, 0, false, {}})
      i = i + 1
    end
  end
end

-- end lazy

prefetch_items(A[3])
for i = 1, #A[3] do complete(i, A[3][i]) end
local slices, filled = A[5] or {}, #A[3]
for i = 1, #slices do
  complete_slice(filled, slices[i])
  filled = filled + #slices[i][3]
end
if wasted > 0 then call('HINCRBY', KEYS[1], 'wasted', wasted) end
flush_queue(A[2])
flush(A[1], A[2])
return '\146' .. list_header(#out) .. concat(out) .. pack(told)
