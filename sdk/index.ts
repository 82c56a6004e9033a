/** `dibs/sdk`: both sides in one import. `dibs/sdk/client` submits work; `dibs/sdk/executor` runs it. */
export * from './client/index.ts';
export * from './executor/index.ts';
