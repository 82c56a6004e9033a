import { describe, expect, it, vi } from 'vitest';
import { labelProblems, labelsOf } from '../../../agent/capabilities/labels.ts';
import { builtInModules, ownModules } from '../../../agent/capabilities/modules.ts';
import { Offering } from '../../../agent/capabilities/offering.ts';
import { selectExecutors } from '../../../agent/capabilities/select.ts';
import { namesLiterally, typeFilter } from '../../../agent/capabilities/type-list.ts';
import { bounded } from '../../../agent/hardware/bounded.ts';
import { gpuEnvironment, gpuSlots } from '../../../agent/hardware/gpu-slots.ts';
import { parseGpus, visibleGpus } from '../../../agent/hardware/gpu.ts';
import { probeHardware } from '../../../agent/hardware/hardware.ts';
import type { HardwareInfo } from '../../../agent/hardware/hardware.ts';
import type { Advertisement } from '../../../agent/link/wire.ts';
import type { ExecutorDescription } from '../../../agent/jobs/contract.ts';

const GIB = 2 ** 30;

const executor = (type: string, changes: Partial<ExecutorDescription> = {}): ExecutorDescription => ({
  type,
  version: '1',
  concurrency: 1,
  inputSchemaJson: '',
  outputSchemaJson: '',
  cost: '',
  deterministic: false,
  isolation: 'process',
  gpus: 0,
  vramBytes: 0,
  memoryBytes: 0,
  models: [],
  description: '',
  ...changes,
});

const SMI = `GPU-aaaa, NVIDIA H200, 143771, 143200, 570.86
GPU-bbbb, NVIDIA H200, 143771, [N/A], 570.86
warning: something
`;

describe('the list of types', () => {
  it('takes types, patterns and all', () => {
    const wanted = typeFilter('image.*, text.count,*.debug');
    expect(['image.resize', 'text.count', 'a.debug', 'text.split', 'images', 'image'].map(wanted)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(typeFilter('all')('anything')).toBe(true);
    expect(typeFilter('a*b*c')('a-b-b-c')).toBe(true);
    expect(typeFilter('a*a')('a')).toBe(false);
    expect(() => typeFilter(' , ')).toThrow('empty');
  });

  it("loads what runs the consumer's programs only when it is named", () => {
    const builtIns = {
      'value.echo': { module: '/echo', enabledByDefault: true },
      command: { module: '/command', enabledByDefault: false },
    };
    expect(builtInModules('all', builtIns)).toEqual(['/echo']);
    expect(builtInModules('*', builtIns)).toEqual(['/echo']);
    expect(builtInModules('command', builtIns)).toEqual(['/command']);
    expect(namesLiterally('a,b', 'b')).toBe(true);
    expect(() => ownModules(['nowhere.ts'], '/tmp')).toThrow('/tmp/nowhere.ts does not exist');
  });
});

describe('labels', () => {
  it('are key=value, with keys that can be asked for', () => {
    expect(labelsOf(['zone=eu', 'note=a=b', 'zone=us'])).toEqual({ zone: 'us', note: 'a=b' });
    expect(labelsOf(['zone'])).toBeUndefined();
    expect(labelProblems({ zone: 'eu', 'a.b/c-d_e': '' })).toEqual([]);
    expect(labelProblems({ 'a b': '', ok: 'x'.repeat(300) })).toHaveLength(2);
  });
});

describe('GPUs', () => {
  it('are read from nvidia-smi', () => {
    expect(parseGpus(SMI)).toEqual([
      {
        uuid: 'GPU-aaaa',
        model: 'NVIDIA H200',
        vramBytes: 143771 * 2 ** 20,
        vramFreeBytes: 143200 * 2 ** 20,
        driver: '570.86',
      },
      {
        uuid: 'GPU-bbbb',
        model: 'NVIDIA H200',
        vramBytes: 143771 * 2 ** 20,
        vramFreeBytes: 0,
        driver: '570.86',
      },
    ]);
    expect(parseGpus('')).toEqual([]);
  });

  it('are those CUDA would see', () => {
    const gpus = parseGpus(SMI);
    const seen = (visible: string | undefined): string[] =>
      visibleGpus(gpus, visible).map(({ uuid }) => uuid);
    expect(seen(undefined)).toEqual(['GPU-aaaa', 'GPU-bbbb']);
    expect(seen('1,0')).toEqual(['GPU-bbbb', 'GPU-aaaa']);
    expect(seen('GPU-b')).toEqual(['GPU-bbbb']);
    expect(seen('0,-1,1')).toEqual(['GPU-aaaa']);
    expect(seen('')).toEqual([]);
    expect(seen('NoDevFiles')).toEqual([]);
  });

  it('are given to slots, never to two', () => {
    const uuids = ['a', 'b', 'c', 'd', 'e'];
    expect(gpuSlots(5, 2)).toBe(2);
    expect([0, 1].map((slot) => gpuEnvironment(uuids, 2, slot)['CUDA_VISIBLE_DEVICES'])).toEqual([
      'a,b',
      'c,d',
    ]);
    expect(gpuEnvironment(uuids, 0, 0)).toEqual({ CUDA_VISIBLE_DEVICES: '' });
    expect(gpuEnvironment([], 1, 0)).toEqual({});
  });
});

describe('what is offered', () => {
  it('leaves out what does not fit, with the reason', () => {
    const gpus = [{ vramBytes: 8 * GIB }, { vramBytes: 24 * GIB }];
    const { offered, left } = selectExecutors(
      [
        executor('cpu'),
        executor('one', { gpus: 1, vramBytes: 20 * GIB }),
        executor('two', { gpus: 2, vramBytes: 20 * GIB }),
        executor('three', { gpus: 3 }),
        executor('huge', { vramBytes: 80 * GIB }),
      ],
      gpus,
    );
    expect(offered.map(({ type }) => type)).toEqual(['cpu', 'one']);
    expect(left.map(({ type }) => type)).toEqual(['two', 'three', 'huge']);
    expect(left[1]?.reason).toBe('needs 3 GPUs, 2 are visible');
  });

  it('is advertised anew when a GPU goes, and only then', () => {
    const changed = vi.fn<(advertisement: Advertisement) => void>();
    const gpus = parseGpus(SMI);
    const offering = new Offering({
      executors: [executor('cpu'), executor('two', { gpus: 2 })],
      labels: { zone: 'eu' },
      hardware: { gpus } as unknown as HardwareInfo,
      slots: (offered) => offered.length,
      changed,
    });
    offering.sawGpus(gpus.map((gpu) => ({ ...gpu, vramFreeBytes: 1 })));
    expect(changed).not.toHaveBeenCalled();
    expect(offering.advertisement).toMatchObject({ labels: { zone: 'eu' }, slots: 2 });
    offering.sawGpus(gpus.slice(1));
    expect(changed).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ slots: 1, executors: [executor('cpu')] }),
    );
  });
});

describe('hardware', () => {
  it('is known in bounded time, with what is missing named', async () => {
    const slow = bounded(() => new Promise<string>(() => {}), 'fallback', 5);
    expect(await slow).toEqual({ value: 'fallback', failed: 'no answer within 5 ms' });
    expect(await bounded(() => Promise.reject(new Error('broken')), 1, 1000)).toEqual({
      value: 1,
      failed: 'broken',
    });
    const { hardware } = await probeHardware('/', { PATH: '/nowhere' });
    expect(hardware.cpuCores).toBeGreaterThan(0);
    expect(hardware.memoryBytes).toBeGreaterThan(0);
    expect(hardware.gpus).toEqual([]);
  });
});
