/**
 * Test projects, cheapest first: a broken unit test shows before a process is started.
 *
 * unit: one module, no I/O, seconds. integration: real Redis, real gRPC, one process. e2e: real processes.
 * Projects run one after the other (`groupOrder`), so that timing-sensitive ones never share two cores
 * with a property test.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default'],
    passWithNoTests: true,
    restoreMocks: true,
    unstubEnvs: true,
    // Hundreds of processes are started: compiled once, their modules cost half.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'dibs-test-compile-cache') },
    coverage: { reportsDirectory: 'coverage' },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          maxWorkers: 2,
          include: ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts'],
          testTimeout: 10_000,
          hookTimeout: 10_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          maxWorkers: 2,
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
