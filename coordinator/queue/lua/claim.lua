#!lua flags=allow-oom
-- purpose: agents race for jobs; each ask takes one job in turn until all are filled or nothing is left
-- keys: cell meta
-- args: [tag: string, origin: string, claim: number, random: string, offerMs: number, register: number, asks: ClaimAsk[], avoidMs: number, caps?: Caps]
-- returns: sequence of [shortfall per ask, ask and class in turn of what was left to others], then per grant its facts, and the head where it helps to decide ahead
-- edges: unassigned -> scheduled
-- emits: job.claimed
-- idempotent: the last claim number of a coordinator answers with the same grants
-- use: cell queue facts decision
local tag, origin, claim_no, random, offer_ms, register, asks, avoid_ms = A[1], A[2], A[3], A[4], A[5], A[6], A[7], A[8]
local parts = {}

-- One grant: what the agent needs, then version and view for deciding ahead, which can be done of the end of a step's last
-- open job only. No plan: most coordinators know it, and the others read it once. (That of a fan-out over a long list is long.)
local function grant(ask, rec)
  local w = rec.w
  local view = w.h[H.stepCount] <= STEPS_PER_CHUNK and step_of(w, rec.s)[S.open] == 1
  parts[#parts + 1] = {ask, rec, view}
end

-- A solo record's job travels without a view: there is nothing to decide ahead.
local function grant_solo(ask, wid, token)
  parts[#parts + 1] = {ask, false, false, wid, token}
end

local last = call('HGET', P .. 'k', origin)
if last then
  last = cmsgpack.unpack(last)
  if last[1] == claim_no then
    local kept = last[2]
    for i = 1, #kept, 3 do
      local wid, token = sub(kept[i + 1], 1, 26), kept[i + 2]
      local refs = refs_in(kept[i + 1]) or {kept[i + 1]}
      prefetch(refs)
      local solo = solos[wid]
      if solo and solo.q[Q.state] == ST.scheduled and solo.q[Q.token] == token then
        grant_solo(kept[i], wid, token)
      else
        -- Of a slice those one by one that are held still.
        local first, rest = string.match(token, '^(%x+)%.(.*)$')
        for k = 1, #refs do
          local rec = load_job(refs[k])
          if held(rec, token_text(tonumber(first, 16) + k - 1, rest)) == 'ok' then grant(kept[i], rec) end
        end
      end
    end
    asks = {}
  end
end

-- Tenants with a cap, and how many more jobs each may hold; counted from what is held when nobody has counted yet.
local room = false
-- lazy: caps_lib
local function recount()
  local counts = {}
  for _, key in ipairs({OFFERS, LEASES}) do
    local list = call('ZRANGE', key, 0, -1)
    for i = 1, #list do
      local slice, count = split_slice(list[i])
      local wid, s, n = split_ref(slice or list[i])
      local w = wid and load_work(wid)
      local run = w and slice and load_run(wid, s, n)
      local hold = run and hold_at(run, n - run.q[R.from])
      if slice then count = hold and hold[L.left] or 0 else count = 1 end
      if w then counts[w.h[H.tenant]] = (counts[w.h[H.tenant]] or 0) + count end
    end
  end
  local list = {'', 0}
  for tenant, count in pairs(counts) do
    list[#list + 1] = tenant
    list[#list + 1] = count
  end
  call('HSET', P .. 'u', unpack(list))
  counting = true
end

local function open_room(caps)
  if not is_counting() then recount() end
  room = {}
  for i = 1, #caps, 2 do room[caps[i]] = caps[i + 1] - tonumber(call('HGET', P .. 'u', caps[i]) or 0) end
end
-- end lazy
if A[9] and #A[9] > 0 and #asks > 0 then open_room(A[9]) end

local function room_of(tenant) return room and room[tenant] or 2^40 end

local function take_room(tenant, count)
  if room and room[tenant] then room[tenant] = room[tenant] - count end
  count_held(tenant, count)
end

-- The entry of a tenant that holds as much as it may.
local function park(score, member, class, tenant) zadd(cap_key(tenant), score, member .. '|' .. class) end

local wanted = 0
for a = 1, #asks do wanted = wanted + asks[a][2] end
local fence, fence_used = nil, 0
local short, round, open = {}, 0, #asks
local left, limits = {}, {}
for a = 1, #asks do
  left[a] = asks[a][2]
  limits[a] = asks[a][5]
end

-- The head of a class's queue, read in pages: as wide as the call may need where there is one class, else twice its share
-- of that. (64 jobs from 64 classes: 5 ms, against 50 with whole pages and their records.)
local candidates = 0
for a = 1, #asks do candidates = math.max(candidates, #asks[a][3]) end
local page = math.min(wanted, 256)
if candidates > 1 then page = math.max(math.min(wanted, 8), math.min(math.ceil(2 * wanted / candidates), 256)) end
-- Of many classes only the heads: most will not be served.
local first_page = candidates > 8 and 1 or page
local pools = {}
local function head_of(class)
  local p = pools[class]
  if not p then
    p = {class = class, list = {}, i = 1, size = 0, from = 0, taken = {}, dry = false, clocks = {}}
    pools[class] = p
  end
  if p.i > p.size and not p.dry then
    local want = p.from == 0 and first_page or page
    p.list = call('ZRANGE', P .. 'q:' .. class, p.from, p.from + want - 1, 'WITHSCORES')
    p.i, p.size = 1, #p.list
    p.from = p.from + p.size / 2
    p.dry = p.size < want * 2
  end
  return p
end

-- An agent that lost the job before leaves it to others for `avoid_ms` after it came into its queue, where there are any:
-- ask[6] has the positions of the classes nobody else can run.
local LOOK_AHEAD = 16
local shunned = {}
-- lazy: avoid_lib
local function shuns(ask, at, j)
  if not names_agent(j[J.agents], ask[1]) then return false end
  local since = j[J.queuedAt]
  if j[J.history] ~= '' then
    local claims = cmsgpack.unpack(j[J.history])
    since = math.max(since, claims[#claims][7])
  end
  if now - since >= avoid_ms then return false end
  local alone = ask[6] or {}
  for i = 1, #alone do if alone[i] == at then return false end end
  return true
end

-- What was passed over stays for the other asks of this call; at most LOOK_AHEAD entries are, per class.
local function pass_over(p, a, at, member, score, j)
  if not p.passed then p.passed, p.barred, p.looked = {}, {}, 0 end
  if p.looked < LOOK_AHEAD then
    p.looked = p.looked + 1
    p.passed[#p.passed + 1] = {member, score, j}
  else
    p.i = p.i - 2
    p.barred[a] = true
  end
  if shunned[#shunned - 1] ~= a - 1 or shunned[#shunned] ~= at - 1 then
    shunned[#shunned + 1] = a - 1
    shunned[#shunned + 1] = at - 1
  end
end

-- The next entry of a class for this ask: its place in what was passed over, 0 = the next one unread, nil = none.
local function front(p, a, at)
  if p.passed then
    for k = 1, #p.passed do
      if not shuns(asks[a], at, p.passed[k][3]) then return k end
    end
    if p.barred[a] then return nil end
  end
  return p.i <= p.size and 0 or nil
end
-- end lazy

-- lazy: classes_lib
-- What decides between classes: the band, then the age, which is the number a place begins with (40 bits).
local function key_of(entry, score)
  local age = type(entry) == 'table' and entry.q[R.place] + entry.q[R.next] or tonumber(sub(entry, 1, 10), 16)
  return floor(score / BAND_SHIFT) * 2^40 + age
end

-- The next entry of a class for an ask, and its key; nil when there is none, or no more of its type may be taken.
local function front_of_class(a, limit, c)
  local ask = asks[a]
  if limit[ask[4][c]] <= 0 then return nil end
  local p = head_of(ask[3][c])
  local k = p.i <= p.size and 0 or nil
  if p.passed then k = front(p, a, c) end
  if not k then return nil end
  if k > 0 then return k, key_of(p.passed[k][1], p.passed[k][2]), p end
  local entry = p.list[p.i]
  if entry ~= p.keyed or type(entry) == 'table' then p.keyed, p.key = entry, key_of(entry, tonumber(p.list[p.i + 1])) end
  return k, p.key, p
end

-- The classes of each ask as a heap of two lists, keys and positions. An entry that has changed since only went back: its key is
-- looked at again when it comes to the top.
local heaps = {}
local function sink(keys, spots, i)
  local size, key, spot = #keys, keys[i], spots[i]
  while true do
    local child = 2 * i
    if child > size then break end
    if child < size and keys[child + 1] < keys[child] then child = child + 1 end
    if keys[child] >= key then break end
    keys[i], spots[i] = keys[child], spots[child]
    i = child
  end
  keys[i], spots[i] = key, spot
end

local function heap_of(a, limit)
  local heap = heaps[a]
  if not heap then
    local keys, spots = {}, {}
    for c = 1, #asks[a][3] do
      local k, key = front_of_class(a, limit, c)
      if k then
        keys[#keys + 1] = key
        spots[#keys] = c
      end
    end
    for i = floor(#keys / 2), 1, -1 do sink(keys, spots, i) end
    heap = {keys, spots}
    heaps[a] = heap
  end
  return heap
end

-- A call for many jobs takes a few of one class in a row, as long as no other class has a job of a higher band: each further class
-- costs a handful of commands.
local IN_A_ROW = math.max(1, math.min(floor(wanted / 16), 8))
local row_class, row_spot, row_left = nil, 0, 0

local function in_row(a, limit, band)
  if row_left == 0 then return nil end
  local classes = asks[a][3]
  local at = classes[row_spot] == row_class and row_spot or nil
  for c = 1, at and 0 or #classes do if classes[c] == row_class then at = c end end
  if not at then return nil end
  local k, key, p = front_of_class(a, limit, at)
  if not k or floor(key / 2^40) ~= band then return nil end
  row_left = row_left - 1
  return p, at, k
end

-- The class to serve an ask that knows several.
local function best_of_many(a, limit)
  local classes = asks[a][3]
  local heap = heap_of(a, limit)
  local keys, spots = heap[1], heap[2]
  while #keys > 0 do
    local c = spots[1]
    local k, key, p = front_of_class(a, limit, c)
    if not k then
      keys[1], spots[1] = keys[#keys], spots[#spots]
      keys[#keys], spots[#spots] = nil, nil
      if #keys > 0 then sink(keys, spots, 1) end
    elseif key == keys[1] then
      local row, at, place = in_row(a, limit, floor(key / 2^40))
      if row then return row, at, place end
      row_class, row_spot, row_left = classes[c], c, IN_A_ROW - 1
      return p, c, k
    else
      keys[1] = key
      sink(keys, spots, 1)
    end
  end
  return nil
end
-- end lazy

-- The class to serve an ask from: highest band, then the oldest head.
local function best(a, limit)
  local classes = asks[a][3]
  if #classes == 1 then
    if limit[asks[a][4][1]] <= 0 then return nil end
    local p = head_of(classes[1])
    local k = p.i <= p.size and 0 or nil
    if p.passed then k = front(p, a, 1) end
    if k then return p, 1, k end
    return nil
  end
  return best_of_many(a, limit)
end

-- Reads the records of the entry just met and of those behind it that this call may still take.
local granted = 0
local function fetch_ahead(p)
  local refs = {}
  local last_one = p.i - 3 + 2 * math.min(wanted - granted, candidates > 1 and 8 or 256)
  for k = p.i - 2, math.min(p.size, last_one), 2 do
    local member = p.list[k]
    if type(member) == 'string' and not is_solo_member(member) and not is_run_member(member) then refs[#refs + 1] = sub(member, 12) end
  end
  prefetch(refs)
end

-- The first of `count` tokens: their numbers follow one another.
local function next_token(count)
  if not fence then fence = tonumber(call('HGET', KEYS[1], 'fence') or 0) end
  local first = fence + fence_used + 1
  fence_used = fence_used + count
  return token_text(first, random), first
end

-- Read only where tenants are counted.
local function tenant_of_solo(wid)
  if not solos[wid] then prefetch({wid .. '-0-0'}) end
  return solos[wid] and solos[wid].q[Q.tenant] or ''
end

-- The class's virtual time is the score of what was claimed last.
local clock_names = {[0] = 'V0', 'V1', 'V2'}
local function take_clock(p, score)
  local low = floor(score / BAND_SHIFT)
  local name, reached = clock_names[2 - low], score - low * BAND_SHIFT
  if reached > (p.clocks[name] or -1) then p.clocks[name] = reached end
end

-- Asks are alike when each knows one class, the same: then it does not matter which of them is asked what it wants.
local alike, first_open, round_dealt = true, nil, false
for a = 1, #asks do
  if #asks[a][3] ~= 1 or asks[a][3][1] ~= asks[1][3][1] then alike = false end
end

-- The run at the front of a class, ready to give jobs; nil when its entry goes another way: then it has been taken off.
local claimed_runs, done = {}, {}
-- lazy: claim_run_lib
local function open_run(p, class)
  local member = p.list[p.i]
  if type(member) == 'table' then return member end
  local wid, s, n = split_ref(split_slice(sub(member, 12)))
  local run = load_run(wid, s, n)
  local w = run and run.entry == member and load_work(wid)
  p.taken[#p.taken + 1] = member
  if not w or terminal(w.h[H.state]) or w.h[H.closing] ~= 0 or w.h[H.state] == ST.paused then
    if w then
      -- Jobs of a workflow that is about to end are ended by its decision.
      run.q[R.stands] = w.h[H.state] == ST.paused and w.h[H.closing] == 0 and 2 or 0
      touch_run(run)
    else
      count_more(class, -beyond_one(tonumber(string.match(member, '%+(%d+)$'))))
    end
    p.i = p.i + 2
    return nil
  end
  p.list[p.i] = run
  run.dealt, run.shares = {}, {}
  claimed_runs[#claimed_runs + 1] = run
  touch_run(run)
  return run
end

-- Whether an entry of the same score comes before a run's.
local function comes_before(other, run)
  if type(other) == 'table' then return other.q[R.place] + other.q[R.next] < run.q[R.place] + run.q[R.next] end
  return tonumber(sub(other, 1, 10), 16) < run.q[R.place] + run.q[R.next]
end

-- How many jobs from the next on, without a hole, stand before the entry behind the run.
local function in_front(p, q)
  local waiting = waiting_in(q)
  if q[R.gone] ~= '' then return 1 end
  if p.i + 2 > p.size then return p.dry and waiting or 1 end
  local score, its = score_in(q, q[R.next]), tonumber(p.list[p.i + 3])
  if score_in(q, q[R.next] + waiting - 1) < its then return waiting end
  return math.max(1, math.min(waiting, math.ceil((its - score) / q[R.spacing])))
end

-- Gives jobs of the run at the front to asks from `a` on, one each and so in turn, for as many turns as nothing else could come
-- between; or one to `a`. Then the run's entry goes to where its next job stands.
local function deal(p, run, a, at)
  local q = run.q
  local tenant = works[run.wid].h[H.tenant]
  local free = room_of(tenant)
  if free <= 0 then
    q[R.stands] = 3
    p.i = p.i + 2
    return
  end
  local turns, takers = 1, 1
  -- What another ask has passed over is before the run, and somebody's turn.
  if a == first_open and alike and not (p.passed and #p.passed > 0) then
    local most = math.min(in_front(p, q), free)
    for b = 1, #asks do
      if not done[b] then most = math.min(most, left[b] * open, limits[b][asks[b][4][at]] * open) end
    end
    turns = floor(most / open)
    if turns >= 1 then takers, round_dealt = open, true else turns = 1 end
  end
  local count = turns * takers
  for i = q[R.next], q[R.next] + count - 1 do run.dealt[#run.dealt + 1] = i end
  for b = a, #asks do
    if takers > 0 and not done[b] then
      takers = takers - 1
      run.shares[b] = (run.shares[b] or 0) + turns
      left[b] = left[b] - turns
      local group = asks[b][4][at]
      limits[b][group] = limits[b][group] - turns
    end
  end
  granted = granted + count
  take_room(tenant, count)
  q[R.next] = q[R.next] + count
  take_clock(p, score_in(q, q[R.next] - 1))
  skip_gone(q)
  if waiting_in(q) == 0 then p.i = p.i + 2 return end
  local score, i = score_in(q, q[R.next]), p.i
  p.list[i + 1] = score
  while true do
    if i + 2 > p.size then
      if p.dry then return end
      local more = call('ZRANGE', P .. 'q:' .. p.class, p.from, p.from + page - 1, 'WITHSCORES')
      for k = 1, #more do p.list[p.size + k] = more[k] end
      p.size, p.from, p.dry = p.size + #more, p.from + #more / 2, #more < page * 2
      if #more == 0 then return end
    end
    local other, its = p.list[i + 2], tonumber(p.list[i + 3])
    if its > score or its == score and not comes_before(other, run) then return end
    p.list[i], p.list[i + 1], p.list[i + 2], p.list[i + 3] = other, its, run, score
    i = i + 2
  end
end

-- Jobs of a run, `count` from position `at` on, with consecutive tokens.
local function grant_slice(ask, run, at, count, token)
  local w = works[run.wid]
  local view = w.h[H.stepCount] <= STEPS_PER_CHUNK and step_of(w, run.s)[S.open] == 1
  parts[#parts + 1] = {ask, false, view, slice_of(run, at, count), token, run, at}
end

-- What was dealt from a run becomes slices: each ask gets its number of jobs, one after the other.
local function hold_slices(run)
  local q, w, i = run.q, works[run.wid], 1
  local step, holds = step_of(w, run.s), holds_of(run)
  if step[S.state] < ST.scheduled then step[S.state] = ST.scheduled end
  if w.h[H.state] < ST.scheduled then w.h[H.state] = ST.scheduled end
  for a = 1, #asks do
    local n = run.shares[a] or 0
    while n > 0 do
      local at, count = run.dealt[i], 1
      while count < n and run.dealt[i + count] == at + count do count = count + 1 end
      local token, first = next_token(count)
      holds[#holds + 1] = {at, count, count, now, first, random, asks[a][1]}
      zadd(OFFERS, now + offer_ms, slice_of(run, at, count))
      event_range(w, EV['job.claimed'], run.s, q[R.from] + at, count, ST.scheduled, asks[a][1])
      grant_slice(a - 1, run, at, count, token)
      i, n = i + count, n - count
    end
  end
end

-- end lazy

while open > 0 do
  first_open, round_dealt = nil, false
  for a = 1, #asks do
    if not done[a] and not round_dealt then
      if not first_open then first_open = a end
      local ask = asks[a]
      if left[a] == 0 then
        done[a] = true
        open = open - 1
      else
        local p, at, k = best(a, limits[a])
        if not p then
          done[a] = true
          open = open - 1
        else
          local group, class = ask[4][at], ask[3][at]
          local member, score, run
          local ahead = k == 0 and p.list[p.i]
          local runs_ahead = ahead and (type(ahead) == 'table' or #ahead ~= 37 and is_run_member(ahead))
          if runs_ahead then
            run = open_run(p, class)
            if run then deal(p, run, a, at) end
          elseif k > 0 then
            local entry = table.remove(p.passed, k)
            member, score = entry[1], entry[2]
          else
            member, score = p.list[p.i], tonumber(p.list[p.i + 1])
            p.i = p.i + 2
          end
          local ref = member and sub(member, 12)
          local solo = member and is_solo_member(member)
          local rec, j
          if member and not solo then
            if jobs[ref] == nil then fetch_ahead(p) end
            rec = load_job(ref)
            j = rec and rec.j
          end
          if not member then
            -- A run's: dealt above.
          elseif solo and is_counting() and room_of(tenant_of_solo(ref)) <= 0 then
            p.taken[#p.taken + 1] = member
            park(score, member, class, tenant_of_solo(ref))
          elseif solo then
            p.taken[#p.taken + 1] = member
            if is_counting() then take_room(tenant_of_solo(ref), 1) end
            take_clock(p, score)
            local token = next_token(1)
            hold_solo(ref, token, ask[1], tag)
            zadd(OFFERS, now + offer_ms, ref .. '-0-0')
            grant_solo(a - 1, ref, token)
            left[a] = left[a] - 1
            granted = granted + 1
            limits[a][group] = limits[a][group] - 1
          elseif not rec or j[J.state] ~= ST.unassigned or j[J.hold] ~= 0 or j[J.member] ~= member
            or terminal(rec.w.h[H.state]) or rec.w.h[H.closing] ~= 0 then
            p.taken[#p.taken + 1] = member
          elseif rec.w.h[H.state] == ST.paused then
            p.taken[#p.taken + 1] = member
            zadd(P .. 'p:wf:' .. rec.w.wid, score, member .. '|' .. class)
          elseif j[J.agents] ~= '' and shuns(ask, at, j) then
            pass_over(p, a, at, member, score, j)
          elseif room and room_of(rec.w.h[H.tenant]) <= 0 then
            p.taken[#p.taken + 1] = member
            park(score, member, class, rec.w.h[H.tenant])
          else
            p.taken[#p.taken + 1] = member
            take_clock(p, score)
            take_room(rec.w.h[H.tenant], 1)
            j[J.token] = next_token(1)
            j[J.agent] = ask[1]
            j[J.hold] = 1
            j[J.claims] = j[J.claims] + 1
            j[J.claimedAt] = now
            j[J.state] = ST.scheduled
            move(rec)
            local step = step_of(rec.w, rec.s)
            if step[S.state] < ST.scheduled then step[S.state] = ST.scheduled end
            if rec.w.h[H.state] < ST.scheduled then rec.w.h[H.state] = ST.scheduled end
            event(rec.w, EV['job.claimed'], rec.s, rec.n, ST.scheduled, ask[1])
            zadd(OFFERS, now + offer_ms, ref)
            grant(a - 1, rec)
            left[a] = left[a] - 1
            granted = granted + 1
            limits[a][group] = limits[a][group] - 1
          end
        end
      end
    end
  end
end

for i = 1, #claimed_runs do hold_slices(claimed_runs[i]) end
if fence_used > 0 then call('HSET', KEYS[1], 'fence', string.format('%.0f', fence + fence_used)) end
if #dirty_runs > 0 then settle_runs() end
local emptied = {}
for class, p in pairs(pools) do
  if #p.taken > 0 then bulk('ZREM', P .. 'q:' .. class, p.taken) end
  p.empty = p.i > p.size and not (p.passed and #p.passed > 0) and (p.dry or call('EXISTS', P .. 'q:' .. class) == 0)
  if not p.empty then
    for field, value in pairs(p.clocks) do
      if value > fair_clock(class, field) then set_fair_clock(class, field, value) end
    end
    -- Work is left and nobody here wants it: pass the wake-up on.
    grown[class] = 1
  elseif #p.taken > 0 then
    call('DEL', P .. 'v:' .. class)
    emptied[class] = true
  end
end
for a = 1, #asks do
  short[a] = left[a]
  if register == 1 and left[a] > 0 then
    for c = 1, #asks[a][3] do
      local class = asks[a][3][c]
      local p = pools[class]
      if p and p.empty and not p.registered and limits[a][asks[a][4][c]] > 0 then
        p.registered = true
        call('ZADD', P .. 'i:' .. class, now, origin)
      end
    end
  end
end
for class in pairs(emptied) do fair_dirty[class] = nil end
flush_queue(origin, true)
flush(tag, origin)
if #parts > 0 and #asks > 0 then
  local kept = {}
  for i = 1, #parts do
    local g = parts[i]
    if g[6] then kept[3 * i - 2], kept[3 * i - 1], kept[3 * i] = g[1], g[4], g[5]
    elseif g[4] then kept[3 * i - 2], kept[3 * i - 1], kept[3 * i] = g[1], g[4] .. '-0-0', g[5]
    else kept[3 * i - 2], kept[3 * i - 1], kept[3 * i] = g[1], g[2].ref, g[2].j[J.token] end
  end
  call('HSET', P .. 'k', origin, pack({claim_no, kept}))
end
local out = {pack({short, shunned})}
for i = 1, #parts do
  local g = parts[i]
  local run = g[6]
  -- \152: an array of eight.
  if run then
    local q = run.q
    out[#out + 1] = '\152' .. pack(g[1], g[4], g[5], 1, q[R.cost], q[R.planned] == 1 and '' or false, q[R.slot] + g[7], g[3])
    if g[3] then
      local head = head_bytes(works[run.wid])
      out[#out + 1] = bin_header(head)
      out[#out + 1] = head
    end
  elseif g[4] then
    out[#out + 1] = '\152' .. pack(g[1], g[4] .. '-0-0', g[5], 1, -1, '', 0, false)
  else
    local rec = g[2]
    local j = rec.j
    local apart = rec.run and not rec.left and rec.run.q[R.planned] == 0
    out[#out + 1] = '\152' .. pack(g[1], rec.ref, j[J.token], j[J.attempt], j[J.cost], not apart and j[J.input], j[J.slot], g[3])
    if g[3] then
      local head = head_bytes(rec.w)
      out[#out + 1] = bin_header(head)
      out[#out + 1] = head
    end
  end
end
-- A list: joined here, every byte would be hashed up to three times more. Joined by the caller it is a sequence.
return out
