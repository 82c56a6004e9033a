#!lua flags=allow-oom
-- purpose: the due loop's step: lapsed offers, due timers, and workflows whose decision nobody has made
-- keys: cell meta
-- args: [tag: string, origin: string, limit: number, undecidedMs: number]
-- returns: [lapsed: [ref: string, agent: string][], todo: string[], more: number]
-- edges: scheduled -> unassigned (offer lapsed); unassigned -> expired (queue timeout)
-- emits: job.released, job.queued
-- idempotent: acts only on what is still due
-- use: cell queue facts
local limit = A[3]
local lapsed = {}
local list = call('ZRANGEBYSCORE', OFFERS, '-inf', now, 'LIMIT', 0, limit)
local more = #list == limit and 1 or 0
for i = 1, #list do
  local rec = load_job(list[i])
  if rec and rec.j[J.hold] == 1 then
    lapsed[#lapsed + 1] = {rec.ref, rec.j[J.agent]}
    requeue(rec, EV['job.released'], 'OFFER_LAPSED')
  else
    zrem(OFFERS, list[i])
  end
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
    end
  elseif kind == 'attempt' then
    local ref, token = string.match(rest, '^(.-)|(.*)$')
    local rec = load_job(ref)
    if held(rec, token) == 'ok' then
      told[#told + 1] = {ref, token, rec.j[J.agent], 'deadline'}
      fail(rec, ST.expired, 'DEADLINE_EXCEEDED_RUNNING', '', true)
    end
  elseif kind == 'expire' then
    local w = load_work(rest)
    if w and not terminal(w.h[H.state]) and w.h[H.cancel] == 0 then
      w.h[H.cancel] = 2
      need_decision(w, -1)
    end
  end
end
flush_queue(A[2])
flush(A[1], A[2])
local todo = call('ZRANGEBYSCORE', TODO, '-inf', now - A[4], 'LIMIT', 0, limit)
return pack({lapsed, todo, more})
