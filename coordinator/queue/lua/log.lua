#!lua flags=allow-oom
-- purpose: reads a workflow's event log from a list position on, and signs the reader up for news
-- keys: cell meta
-- args: [wid: string, from: number, limit: number, watcher: string]
-- returns: sequence of [list elements read or -1 when there is no such workflow, more 0|1], head, log entries
-- edges: none
-- emits: nothing
-- idempotent: yes
-- use: cell
local wid = A[1]
local r = call('HMGET', bucket(wid), wid, wid .. 'h')
local w = work_of(wid, r[1], r[2])
local solo = solos[wid]
local function joined(watch)
  if A[4] == '' or watch == A[4] or watch == '*' then return watch end
  return watch == '' and A[4] or '*'
end
if solo then
  -- A claim does not read a waiting solo record, so it could not tell its watchers.
  local waits = A[4] ~= '' and solo.q[Q.state] == ST.unassigned
  w = expand(wid)
  if waits then touch(w) end
end
if not w then return pack({-1, 0}) end
local h = w.h
local watch = joined(h[H.watch])
if watch ~= h[H.watch] and not (solo and h[H.state] == ST.succeeded) then
  h[H.watch] = watch
  if solo then touch(w) else call('HSET', bucket(wid), wid, head_bytes(w)) end
end
if solo then flush('', A[4]) end
local list = h[H.listed] > A[2] and call('LRANGE', P .. 'e:' .. w.wid, A[2], A[2] + A[3] - 1) or {}
local more = A[2] + #list < h[H.listed]
local head = head_bytes(w)
return {pack({#list, more and 1 or 0}) .. bin_header(head), head, concat(list), more and '' or w.log}
