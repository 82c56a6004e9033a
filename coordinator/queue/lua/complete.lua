#!lua flags=allow-oom
-- purpose: ends claimed jobs, and where the coordinator decided ahead of it, commits that decision in the same call
-- keys: cell meta
-- args: [tag: string, origin: string, items: CompleteItem[], changes?: Change[]]
-- returns: [replies: CompleteReply[], told: Told[]]
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

prefetch_items(A[3])
for i = 1, #A[3] do
  -- item = {ref, token, state, output, reason, message, retryable, start age ms, run ms, ver, facts,
  -- change or its number in changes or false, seen, why content was blocked}
  local it = A[3][i]
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
if wasted > 0 then call('HINCRBY', KEYS[1], 'wasted', wasted) end
flush_queue(A[2])
flush(A[1], A[2])
return '\146' .. list_header(#out) .. concat(out) .. pack(told)
