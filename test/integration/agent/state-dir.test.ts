/** What lies in the state directory: identity, results on disk, the lock. */
import { mkdir, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadIdentity } from '../../../agent/link/identity.ts';
import { FileSpool } from '../../../agent/link/spool.ts';
import { UnackedCompletion } from '../../../agent/link/unacked.ts';
import { controlPath } from '../../../agent/status/control-path.ts';
import { LockedError, takeLock } from '../../../agent/status/lock.ts';
import { tempFolder } from './support/rig.ts';

const finished = (jobId: string, finishedAt: number): UnackedCompletion =>
  new UnackedCompletion({
    jobId,
    token: 'token/with "odd" characters',
    result: { verdict: 'succeeded', outputJson: '"ü"', reason: '', message: '', runMs: 5, blockedReason: '' },
    startedAt: finishedAt - 10,
    finishedAt,
    emits: [{ jobId, token: 't', batch: 1, inputsJson: ['1'] }],
  });

describe('results on disk', () => {
  it('come back as they were, oldest first, on the clock of the new process', async () => {
    const folder = join(await tempFolder(), 'spool');
    const before = new FileSpool({ folder, now: () => 1_000, epochNow: () => 50_000 });
    expect(await before.load()).toEqual([]);
    const [late, early] = [finished('late', 900), finished('early', 800)];
    await before.save(late);
    await before.save(early);

    const after = new FileSpool({ folder, now: () => 10, epochNow: () => 60_000 });
    const [first, second] = await after.load();
    expect([first?.jobId, second?.jobId]).toEqual(['early', 'late']);
    expect(first).toMatchObject({
      token: early.token,
      result: early.result,
      emits: early.emits,
      spooled: true,
    });
    // Ten seconds of the wall clock have passed since then.
    expect(first?.at(10)).toMatchObject({ startedAgeMs: 790 - 1_000 - 10_000, outputJson: '"ü"' });
    await after.remove(first as UnackedCompletion);
    expect((await after.load()).map(({ jobId }) => jobId)).toEqual(['late']);
  });

  it('that cannot be read are set aside, half-written ones removed', async () => {
    const folder = await tempFolder();
    const setAside: string[] = [];
    const spool = new FileSpool({ folder, now: () => 0, setAside: (path) => setAside.push(basename(path)) });
    await spool.save(finished('good', 0));
    const [good = ''] = await readdir(folder);
    const whole = JSON.parse(await readFile(join(folder, good), 'utf8')) as Record<string, unknown>;
    const broken = {
      a: '{"jobId":',
      b: '{"jobId":"x","token":"y"}',
      c: JSON.stringify({ ...whole, result: { ...(whole['result'] as object), verdict: 'constructor' } }),
      d: JSON.stringify({ ...whole, emits: undefined }),
      e: JSON.stringify({ ...whole, finishedAtEpochMs: null }),
      f: 'null',
    };
    for (const [name, text] of Object.entries(broken)) await writeFile(join(folder, `${name}.json`), text);
    await writeFile(join(folder, 'g.json.part'), '');
    expect((await spool.load()).map(({ jobId }) => jobId)).toEqual(['good']);
    const aside = Object.keys(broken).map((name) => `${name}.json.bad`);
    expect(setAside.toSorted()).toEqual(aside);
    expect((await readdir(folder)).filter((name) => name !== good).toSorted()).toEqual(aside);
  });
});

describe('the identity', () => {
  it('keeps its id and has a new boot id each time', async () => {
    const folder = join(await tempFolder(), 'deep', 'state');
    const [one, two] = [await loadIdentity(folder), await loadIdentity(folder)];
    expect(two.agentId).toBe(one.agentId);
    expect(two.bootId).not.toBe(one.bootId);
  });

  it('is made anew when the agent was killed while it wrote it, and stands there whole', async () => {
    const folder = await tempFolder();
    await writeFile(join(folder, 'agent-id.part'), '');
    const { agentId } = await loadIdentity(folder);
    expect(await readdir(folder)).toEqual(['agent-id']);
    expect((await loadIdentity(folder)).agentId).toBe(agentId);
  });

  it('is never replaced by accident', async () => {
    const folder = await tempFolder();
    await writeFile(join(folder, 'agent-id'), 'something else\n');
    await expect(loadIdentity(folder)).rejects.toThrow('does not hold an agent id');
  });
});

describe('the lock', () => {
  it('is held by one, and by the next once it is released', async () => {
    const folder = await tempFolder();
    const lock = await takeLock(folder, async () => true);
    await expect(takeLock(folder, async () => true)).rejects.toThrow(LockedError);
    await lock.release();
    await (await takeLock(folder, async () => true)).release();
  });

  it('of a process that answers no more goes to exactly one of those who want it', async () => {
    const folder = await tempFolder();
    await mkdir(folder, { recursive: true });
    const path = join(folder, 'agent.lock');
    await writeFile(path, '1 left-behind\n');
    expect(await takeLock(folder, async () => false).catch((error: unknown) => error)).toBeInstanceOf(
      LockedError,
    );
    await utimes(path, 1_000_000, 1_000_000);
    // Whoever holds the new lock answers; nobody answered for the old one.
    let held = false;
    const take = async (): Promise<boolean> =>
      takeLock(folder, async () => held).then(
        () => (held = true),
        () => false,
      );
    const taken = await Promise.all([take(), take(), take(), take()]);
    expect(taken.filter(Boolean)).toHaveLength(1);
  });

  it('has its socket in the folder, or elsewhere where the name would be too long', async () => {
    expect(controlPath('/var/lib/dibs')).toBe('/var/lib/dibs/agent.sock');
    const elsewhere = controlPath(`/var/${'x'.repeat(120)}`);
    expect(Buffer.byteLength(elsewhere)).toBeLessThan(104);
    expect(elsewhere).not.toBe(controlPath(`/var/${'y'.repeat(120)}`));
  });
});
