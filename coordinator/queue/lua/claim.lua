#!lua flags=allow-oom
-- purpose: agents race for jobs; each ask takes one job in turn until all are filled or nothing is left
-- keys: cell meta
-- args: [tag: string, origin: string, claim: number, random: string, offerMs: number, register: number, asks: ClaimAsk[], avoidMs: number]
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
      local wid = sub(kept[i + 1], 1, 26)
      prefetch({kept[i + 1]})
      local solo = solos[wid]
      if solo and solo.q[Q.state] == ST.scheduled and solo.q[Q.token] == kept[i + 2] then
        grant_solo(kept[i], wid, solo.q[Q.token])
      else
        local rec = load_job(kept[i + 1])
        if held(rec, kept[i + 2]) == 'ok' then grant(kept[i], rec) end
      end
    end
    asks = {}
  end
end

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
if candidates > 1 then page = math.max(math.min(wanted, 4), math.min(math.ceil(2 * wanted / candidates), 256)) end
local pools = {}
local function head_of(class)
  local p = pools[class]
  if not p then
    p = {list = {}, i = 1, size = 0, from = 0, taken = {}, dry = false, clocks = {}}
    pools[class] = p
  end
  if p.i > p.size and not p.dry then
    local want = page
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

-- The class to serve an ask from: highest band, then the oldest head.
local function best(a, limit)
  local ask = asks[a]
  local classes, groups = ask[3], ask[4]
  local chosen, chosen_band, chosen_age = nil, nil, nil
  for c = 1, #classes do
    if limit[groups[c]] > 0 then
      local p = head_of(classes[c])
      local k = p.i <= p.size and 0 or nil
      if p.passed then k = front(p, a, c) end
      if k then
        if #classes == 1 then return p, c, k end
        local entry = k > 0 and p.passed[k]
        local band = floor((entry and entry[2] or tonumber(p.list[p.i + 1])) / BAND_SHIFT)
        local age = sub(entry and entry[1] or p.list[p.i], 1, 10)
        if not chosen or band < chosen_band or (band == chosen_band and age < chosen_age) then
          chosen, chosen_band, chosen_age = {p, c, k}, band, age
        end
      end
    end
  end
  if chosen then return chosen[1], chosen[2], chosen[3] end
  return nil
end

-- Reads the records of the entry just met and of those behind it that this call may still take.
local granted = 0
local function fetch_ahead(p)
  local refs = {}
  local last_one = p.i - 3 + 2 * math.min(wanted - granted, candidates > 1 and 8 or 256)
  for k = p.i - 2, math.min(p.size, last_one), 2 do
    if not is_solo_member(p.list[k]) then refs[#refs + 1] = sub(p.list[k], 12) end
  end
  prefetch(refs)
end

local function next_token()
  if not fence then fence = tonumber(call('HGET', KEYS[1], 'fence') or 0) end
  fence_used = fence_used + 1
  return string.format('%x', fence + fence_used) .. '.' .. random
end

-- The class's virtual time is the score of what was claimed last.
local clock_names = {[0] = 'V0', 'V1', 'V2'}
local function take_clock(p, score)
  local low = floor(score / BAND_SHIFT)
  local name, reached = clock_names[2 - low], score - low * BAND_SHIFT
  if reached > (p.clocks[name] or -1) then p.clocks[name] = reached end
end

local done = {}
while open > 0 do
  for a = 1, #asks do
    if not done[a] then
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
          local member, score
          if k > 0 then
            local entry = table.remove(p.passed, k)
            member, score = entry[1], entry[2]
          else
            member, score = p.list[p.i], tonumber(p.list[p.i + 1])
            p.i = p.i + 2
          end
          local ref = sub(member, 12)
          local solo = is_solo_member(member)
          local rec, j
          if not solo then
            if jobs[ref] == nil then fetch_ahead(p) end
            rec = load_job(ref)
            j = rec and rec.j
          end
          if solo then
            p.taken[#p.taken + 1] = member
            take_clock(p, score)
            local token = next_token()
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
          else
            p.taken[#p.taken + 1] = member
            take_clock(p, score)
            j[J.token] = next_token()
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

if fence_used > 0 then call('HSET', KEYS[1], 'fence', string.format('%.0f', fence + fence_used)) end
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
flush_queue(origin, true)
flush(tag, origin)
if #parts > 0 and #asks > 0 then
  local kept = {}
  for i = 1, #parts do
    local g = parts[i]
    if g[4] then kept[3 * i - 2], kept[3 * i - 1], kept[3 * i] = g[1], g[4] .. '-0-0', g[5]
    else kept[3 * i - 2], kept[3 * i - 1], kept[3 * i] = g[1], g[2].ref, g[2].j[J.token] end
  end
  call('HSET', P .. 'k', origin, pack({claim_no, kept}))
end
local out = {pack({short, shunned})}
for i = 1, #parts do
  local g = parts[i]
  -- \152: an array of eight.
  if g[4] then
    out[#out + 1] = '\152' .. pack(g[1], g[4] .. '-0-0', g[5], 1, -1, '', 0, false)
  else
    local rec = g[2]
    local j = rec.j
    out[#out + 1] = '\152' .. pack(g[1], rec.ref, j[J.token], j[J.attempt], j[J.cost], j[J.input], j[J.slot], g[3])
    if g[3] then
      local head = head_bytes(rec.w)
      out[#out + 1] = bin_header(head)
      out[#out + 1] = head
    end
  end
end
-- A list: joined here, every byte would be hashed up to three times more. Joined by the caller it is a sequence.
return out
