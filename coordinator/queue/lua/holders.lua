#!lua flags=allow-oom
-- purpose: tells which jobs are held by whom, one page of the cell's offers or leases; with count 0 the time alone
-- keys: cell meta
-- args: [where: 'o' | 'l', cursor: string, count: number]
-- returns: [cursor: string, now: number, held: [ref: string, token: string, agent: string, claimedAt: number][]]
-- edges: none
-- emits: nothing
-- idempotent: yes. Whoever is held from the first page to the last, there or in what is read next, is told at least once:
-- that is what ZSCAN promises, and jobs move from offers to leases only
-- use: cell
local held, refs = {}, {}
if A[3] == 0 then return pack({'0', now, held}) end
local key = A[1] == 'o' and OFFERS or LEASES
-- Of a slice those that are still held as a part of it; false when it is the ref of a single job.
local function tell_slice(slice)
  local ref, count = split_slice(slice)
  if not ref then return false end
  local wid, s, n = split_ref(ref)
  local run = load_run(wid, s, n)
  local hold = run and hold_at(run, n - run.q[R.from])
  for i = 0, hold and count - 1 or -1 do
    if not gone_from(run)[hold[L.from] + i] then
      held[#held + 1] = {ref_of(wid, s, n + i), token_text(hold[L.fence] + i, hold[L.random]), hold[L.agent], hold[L.claimedAt]}
    end
  end
  return true
end

local page = call('ZSCAN', key, A[2], 'COUNT', A[3])
for i = 1, #page[2], 2 do
  if not tell_slice(page[2][i]) then refs[#refs + 1] = page[2][i] end
end
prefetch(refs)
for i = 1, #refs do
  local ref = refs[i]
  local solo = solos[sub(ref, 1, 26)]
  local rec = not solo and load_job(ref)
  if solo then
    local q = solo.q
    if q[Q.state] == ST.scheduled then
      held[#held + 1] = {ref, q[Q.token], q[Q.agent], q[Q.claimedAt]}
    end
  elseif rec and rec.j[J.hold] > 0 and not rec.run then
    held[#held + 1] = {ref, rec.j[J.token], rec.j[J.agent], rec.j[J.claimedAt]}
  end
end
return pack({page[1], now, held})
