#!lua
-- purpose: creates workflows and enqueues what can run at once; one call for all that one event-loop turn has
-- keys: cell meta
-- args: [tag: string, origin: string, items: SubmitItem[], classes: [name: string, requirement: string][]]
-- returns: SubmitReply[]
-- edges: (none) -> unassigned
-- emits: workflow.created, step.ready, job.queued, and for a workflow of nothing but empty steps the terminal events
-- idempotent: an id that exists is answered 'exists' and left alone
-- use: cell queue facts decision
local out = {}
local classes = A[4]
for i = 1, #classes do
  if call('HSETNX', P .. 'c', classes[i][1], classes[i][2]) == 1 then
    bus_any = true
    bus_classes[#bus_classes + 1] = classes[i][1]
  end
end
local created = {}
for i = 1, #A[3] do
  -- item = {wid, tenant, weight, request id, number of the plan's ARGV, steps, watch, change, expire ms}
  local item = A[3][i]
  local wid = item[1]
  if works[wid] or call('HEXISTS', bucket(wid), wid) == 1 then
    out[i] = {'exists', 0}
  else
    local steps = item[6]
    local first, chunks = {}, false
    if #steps <= STEPS_PER_CHUNK then
      first = steps
    else
      chunks = {}
      for s = 1, #steps do
        local k = floor((s - 1) / STEPS_PER_CHUNK)
        if k == 0 then first[s] = steps[s]
        else
          if not chunks[k] then chunks[k] = {} end
          chunks[k][#chunks[k] + 1] = steps[s]
        end
      end
    end
    local w = {wid = wid, log = '', ev = false, dirty = false, chunks = chunks, plan = ARGV[item[5]], new_plan = ARGV[item[5]], h = {
      0, 0, ST.unassigned, item[2], now, 0, 0, 0, 0, item[7], '', '', -1, 0, '', 0, {}, #steps, #steps, 0, item[3],
      item[4], first}}
    works[wid] = w
    event(w, {EV['workflow.created'], -1, -1, ST.unassigned})
    apply(w, item[8])
    if item[9] > 0 and not terminal(w.h[H.state]) then zadd(P .. 't', now + item[9], 'expire|' .. wid) end
    created[#created + 1] = wid
    out[i] = {'created', w.h[H.seq] + #w.ev}
  end
end
if #created > 0 then bulk('RPUSH', P .. 'x:' .. floor(now / 86400000), created) end
flush_queue(A[2])
flush(A[1], A[2])
return pack(out)
