-- Capability queues: fair-queueing score, entry, wake-up.
--
-- score = (2 - band) * 2^50 + S with S = max(V, F) and F = S + cost * 1024 / weight; V is the virtual time of the
-- class and band (S of the last claim), F the tenant's finish time. Members begin with a fixed-width sequence, so
-- equal scores stay in order of arrival. A requeued job keeps score and member: that is the front.
local fair, fair_dirty = {}, {}
local seq_next, seq_dirty = nil, false
local lane = {}
local grown = {} -- class -> jobs added in this call

local function fair_clock(class, field)
  local f = fair[class]
  if not f then f = {} fair[class] = f end
  local v = f[field]
  if v == nil then
    v = tonumber(call('HGET', P .. 'v:' .. class, field) or 0)
    f[field] = v
  end
  return v
end

local function set_fair_clock(class, field, value)
  fair[class][field] = value
  local d = fair_dirty[class]
  if not d then d = {} fair_dirty[class] = d end
  d[field] = value
end

-- The first of `count` consecutive numbers.
local function next_seq(count)
  if not seq_next then seq_next = tonumber(call('HGET', KEYS[1], 'seq') or 0) end
  seq_next = seq_next + count
  seq_dirty = true
  return seq_next - count + 1
end

local function put_in_queue(class, score, member)
  zadd(P .. 'q:' .. class, score, member)
  grown[class] = (grown[class] or 0) + 1
end

-- An entry that was in the queue before goes in front of all that came later: its first score is the lowest there,
-- unless the clocks were dropped since and began at 0 again.
local function front_of(class, score)
  local low = floor(score / BAND_SHIFT)
  return low * BAND_SHIFT + fair_clock(class, 'V' .. (2 - low))
end

local function queue_again(class, score, member)
  put_in_queue(class, math.min(score, front_of(class, score)), member)
end

-- Takes away the entry of a job that waits, wherever it stands.
local function leave_queue(rec)
  local j, w = rec.j, rec.w
  -- Of a run's entry it is a part until it leaves.
  if rec.run and not rec.left then return end
  local key = P .. 'q:' .. j[J.class]
  if rec.dirty then
    -- It came back in this very call.
    local list = zadds[key] or {}
    for i = 2, #list, 2 do
      if list[i] == j[J.member] then table.remove(list, i) table.remove(list, i - 1) break end
    end
  end
  zrem(key, j[J.member])
  if w.h[H.state] == ST.paused then zrem(P .. 'p:wf:' .. w.wid, j[J.member] .. '|' .. j[J.class]) end
  if is_counting() then zrem(cap_key(w.h[H.tenant]), j[J.member] .. '|' .. j[J.class]) end
end

-- Score of the first entry of `count` jobs that come together, and how far it is from each to the next; moves the tenant's clock on.
local function first_score(class, band, tenant, cost, weight, count)
  -- Jobs of one call are mostly of one class, band and tenant: the names of their clocks are made once.
  if lane[1] ~= class or lane[2] ~= band or lane[3] ~= tenant then
    lane = {class, band, tenant, 'V' .. band, 'F' .. band .. '|' .. tenant}
  end
  local v, field = fair_clock(class, lane[4]), lane[5]
  local f = fair_clock(class, field)
  local s = v > f and v or f
  local step = floor(cost * 1024000 / weight)
  if step < 1 then step = 1 end
  local finish = s + step * count
  if finish >= BAND_SHIFT then finish = BAND_SHIFT - 1 end
  set_fair_clock(class, field, finish)
  return (2 - band) * BAND_SHIFT + s, step
end

-- First entry of a job into its queue.
local function enqueue(rec)
  local j, h = rec.j, rec.w.h
  local class = j[J.class]
  j[J.score] = first_score(class, j[J.band], h[H.tenant], j[J.cost], h[H.weight], 1)
  j[J.member] = string.format('%010x', next_seq(1)) .. ':' .. rec.ref
  put_in_queue(class, j[J.score], j[J.member])
end

-- First entry of a solo record's job.
local function enqueue_solo(wid, q)
  local class = q[Q.class]
  q[Q.place] = next_seq(1)
  q[Q.score] = first_score(class, q[Q.band], q[Q.tenant], q[Q.cost], q[Q.weight], 1)
  put_in_queue(class, q[Q.score], member_of_solo(wid, q[Q.place]))
end

-- lazy: run_queue_lib
-- First entry of a run; its jobs come one after the other.
local function enqueue_run(run, tenant, weight)
  local q = run.q
  q[R.place] = next_seq(q[R.count])
  q[R.score], q[R.spacing] = first_score(q[R.class], q[R.band], tenant, q[R.cost], weight, q[R.count])
  q[R.cap] = (3 - q[R.band]) * BAND_SHIFT - 1
  grown[q[R.class]] = (grown[q[R.class]] or 0) + q[R.count]
end

-- A queue's number of jobs is that of its entries and the clock 'R': what its runs count for beyond one each.
local function count_more(class, jobs)
  if jobs ~= 0 then set_fair_clock(class, 'R', fair_clock(class, 'R') + jobs) end
end

local function beyond_one(waiting) return waiting > 1 and waiting - 1 or 0 end

-- Where a run's entry stands, and its name there: q[R.stands] 1 its queue, 2 parked with its workflow, 3 with its tenant.
local function stand_of(run, stands, entry)
  if stands == 1 then return P .. 'q:' .. run.q[R.class], entry end
  local name = entry .. '|' .. run.q[R.class]
  if stands == 2 then return P .. 'p:wf:' .. run.wid, name end
  return cap_key(load_work(run.wid).h[H.tenant]), name
end

-- Entries of runs whose first waiting job, or number of them, or place has changed.
local function settle_runs()
  for i = 1, #dirty_runs do
    local run = dirty_runs[i]
    local q = run.q
    skip_gone(q)
    local entry, class, stands = entry_of(run), q[R.class], q[R.stands]
    if entry ~= run.entry or stands ~= run.stood then
      local waiting = waiting_in(q)
      if run.entry ~= '' then
        zrem(stand_of(run, run.stood, run.entry))
        if run.stood == 1 then count_more(class, -beyond_one(run.waited)) end
      end
      if entry ~= '' then
        local key, name = stand_of(run, stands, entry)
        zadd(key, score_in(q, q[R.next]), name)
        if stands == 1 then count_more(class, beyond_one(waiting)) end
      end
      run.entry, run.waited, run.stood = entry, waiting, stands
    end
  end
end

-- end lazy

-- lazy: parked_lib
-- Entries parked for this cause back to where they were, at most `limit` of them.
local function bring_back(cause, limit)
  local key = P .. 'p:' .. cause
  local list = call('ZRANGE', key, 0, limit - 1, 'WITHSCORES')
  for i = 1, #list, 2 do
    local member, class = string.match(list[i], '^(.-)|(.*)$')
    local score = tonumber(list[i + 1])
    if is_run_member(member) then
      local run = load_run(split_ref(split_slice(sub(member, 12))))
      if run and run.entry == member then
        local q = run.q
        q[R.cap] = math.min(q[R.cap], front_of(class, score))
        q[R.stands] = 1
        touch_run(run)
        grown[class] = 1
      end
    else
      queue_again(class, score, member)
    end
    zrem(key, list[i])
  end
end

-- What tenants hold more or less; where it is less, as many entries of theirs come back.
local function settle_held()
  for tenant, change in pairs(held_change) do
    if change ~= 0 then call('HINCRBY', P .. 'u', tenant, change) end
    if change < 0 then bring_back('cap:' .. tenant, -change) end
  end
  held_change = {}
end

-- end lazy

local function flush_queue(origin, claiming)
  if next(held_change) then settle_held() end
  if #dirty_runs > 0 then settle_runs() end
  if seq_dirty then call('HSET', KEYS[1], 'seq', string.format('%.0f', seq_next)) end
  for class, fields in pairs(fair_dirty) do
    local list = {}
    for field, value in pairs(fields) do list[#list + 1] = field list[#list + 1] = string.format('%.0f', value) end
    bulk('HSET', P .. 'v:' .. class, list)
  end
  -- Targeted wake-up, one per class that grew: whoever waits longest, passing over who was silent for too long. A caller
  -- that waits itself needs no message for what it adds; one that claims has had its turn.
  local waited_for = {}
  for class in pairs(grown) do waited_for[#waited_for + 1] = P .. 'i:' .. class end
  if #waited_for > 1 and call('EXISTS', unpack(waited_for)) == 0 then return end
  for class in pairs(grown) do
    local key = P .. 'i:' .. class
    local idle = call('ZRANGE', key, 0, 0, 'WITHSCORES')
    while idle[1] do
      call('ZREM', key, idle[1])
      if now - tonumber(idle[2]) < 10000 then
        if idle[1] ~= origin then
          bus_any = true
          bus_wakes[#bus_wakes + 1] = {idle[1], class}
          break
        elseif not claiming then
          break
        end
      end
      idle = call('ZRANGE', key, 0, 0, 'WITHSCORES')
    end
  end
end
