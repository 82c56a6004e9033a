#!lua flags=allow-oom
-- purpose: the due loop's step: lapsed offers, due timers, and workflows to decide: raised here, or waiting for too long
-- keys: cell meta
-- args: [tag: string, origin: string, limit: number, undecidedMs: number, offerMs: number]
-- returns: [lapsed: [ref: string, agent: string][], todo: string[], more: number]
-- edges: scheduled -> unassigned (offer lapsed); unassigned -> expired (queue timeout)
-- emits: job.released, job.queued
-- idempotent: acts only on what is still due; a workflow it names is named again only after waiting once more
-- use: cell queue facts
local limit, offer_ms = A[3], A[5]
-- After a gap in which nobody came here (Redis or the coordinators were away) agents could not say that they took an offer
-- or finished a job: for two offer leases nothing lapses and no attempt runs out. (Agents stop attempts by themselves.)
local m = call('HMGET', KEYS[1], 'dueAt', 'spareUntil')
local seen, spare = tonumber(m[1] or now), tonumber(m[2] or 0)
if now - seen > offer_ms / 2 then
  spare = now + 2 * offer_ms
  call('HSET', KEYS[1], 'spareUntil', spare)
end
call('HSET', KEYS[1], 'dueAt', now)
local lapsed = {}
local todo, named = {}, {}
local function name(wid)
  if not named[wid] then
    named[wid] = true
    todo[#todo + 1] = wid
  end
end

local list = spare > now and {} or call('ZRANGEBYSCORE', OFFERS, '-inf', now, 'LIMIT', 0, limit)
local more = #list == limit and 1 or 0
local function lapse(rec)
  lapsed[#lapsed + 1] = {rec.ref, rec.j[J.agent]}
  requeue(rec, EV['job.released'], 'OFFER_LAPSED', 'offer_lapsed')
end

for i = 1, #list do
  local refs = refs_in(list[i])
  if not refs then
    local rec = load_job(list[i])
    if rec and rec.j[J.hold] == 1 then lapse(rec) else zrem(OFFERS, list[i]) end
  else
    prefetch(refs)
    for k = 1, #refs do
      local rec = load_job(refs[k])
      if rec and rec.hold and not rec.left then lapse(rec) end
    end
    zrem(OFFERS, list[i])
  end
  -- A slice is up to RUN_JOBS jobs: the rest of the offers waits for the next call.
  if #lapsed >= 4 * limit then more = 1 break end
end
list = call('ZRANGEBYSCORE', TIMERS, '-inf', now, 'LIMIT', 0, limit)
if #list == limit then more = 1 end
for i = 1, #list do
  zrem(TIMERS, list[i])
  local kind, rest = string.match(list[i], '^(%w+)|(.*)$')
  if kind == 'backoff' then
    local rec = load_job(rest)
    if rec and rec.j[J.state] == ST.unassigned and rec.j[J.member] == '' then
      rec.j[J.queuedAt] = now
      enqueue(rec)
      move(rec)
      event(rec.w, EV['job.queued'], rec.s, rec.n, ST.unassigned)
    end
  elseif kind == 'queued' then
    local rec = load_job(rest)
    if rec and rec.j[J.state] == ST.unassigned and rec.j[J.hold] == 0 then
      leave_queue(rec)
      fail(rec, ST.expired, 'DEADLINE_EXCEEDED_QUEUED', '', false)
      name(rec.w.wid)
    elseif rec and rec.j[J.hold] == 1 then
      -- An offer may still lapse, and then it has waited for too long.
      zadd(TIMERS, now + 1000, list[i])
    end
  elseif kind == 'attempt' and spare > now then
    zadd(TIMERS, spare, list[i])
  elseif kind == 'attempt' then
    local ref, token = string.match(rest, '^(.-)|(.*)$')
    local rec = load_job(ref)
    if held(rec, token) == 'ok' then
      local j = rec.j
      told[#told + 1] = {ref, token, j[J.agent], 'deadline'}
      fail(rec, ST.expired, 'DEADLINE_EXCEEDED_RUNNING', '', true)
      -- A result that comes later is refused, as after a stall.
      j[J.agents] = with_agent(j[J.agents], j[J.agent])
      j[J.history] = with_claim(j, 'expired', 'DEADLINE_EXCEEDED_RUNNING', now)
      j[J.token] = ''
      name(rec.w.wid)
    end
  elseif kind == 'expire' then
    local w = load_work(rest)
    if w and not terminal(w.h[H.state]) and w.h[H.cancel] == 0 then
      w.h[H.cancel] = 2
      need_decision(w, -1)
      name(w.wid)
    end
  end
end
flush_queue(A[2])
flush(A[1], A[2])
-- Whoever is named goes to the end of the line, so that workflows nobody can decide never hide the others.
list = call('ZRANGEBYSCORE', TODO, '-inf', now - A[4], 'LIMIT', 0, limit)
if #list == limit then more = 1 end
for i = 1, #list do
  local wid = list[i]
  local w = load_work(wid)
  if not w or terminal(w.h[H.state]) or w.h[H.dirty] == '' then
    call('ZREM', TODO, wid)
  else
    if A[4] > 0 then call('ZADD', TODO, now, wid) end
    name(wid)
  end
end
return pack({lapsed, todo, more})
