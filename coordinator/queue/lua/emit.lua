#!lua
-- purpose: a running job asks for further jobs of its own step
-- keys: cell meta
-- args: [tag: string, origin: string, items: EmitItem[]]
-- returns: EmitReply[]
-- edges: (none) -> unassigned
-- emits: job.queued
-- idempotent: each claim numbers its batches; one that is not newer, in whatever claim or attempt, is answered 'done'. While the step's own fan-out is still being
-- emitted, slots are not known: 'wait'
-- use: cell queue facts decision
local out = {}
prefetch_items(A[3])
for i = 1, #A[3] do
  -- item = {ref, token, batch, inputs}
  local it = A[3][i]
  local rec = load_job(it[1])
  local live = held(rec, it[2])
  if live == 'ok' and it[3] <= rec.j[J.emitBatch] then live = 'done' end
  local fan = live == 'ok' and step_of(rec.w, rec.s)
  if fan and fan[S.emitted] < fan[S.total] then live = 'wait' end
  out[i] = live
  if live == 'ok' then
    local w, j = rec.w, rec.j
    j[J.emitBatch] = it[3]
    move(rec)
    local step = step_of(w, rec.s)
    local first = step[S.total]
    step[S.total] = first + #it[4]
    step[S.emitted] = step[S.emitted] + #it[4]
    -- A decision made from the view before this one would close the step too early.
    w.h[H.ver] = w.h[H.ver] + 1
    for k = 1, #it[4] do
      new_job(w, {rec.s, first + k - 1, j[J.class], j[J.band], j[J.cost], it[4][k], 1, -1, 0, 0})
    end
  end
end
flush_queue(A[2])
flush(A[1], A[2])
return pack(out)
