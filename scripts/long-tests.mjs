// Files of tests that `npm test` leaves to `npm run test:long`, which CI runs after it. A file belongs here that takes more
// than ten seconds of a processor and walks no main path, so that `npm test` stays below 8 minutes on two cores.

/** Paths from the repository's root. */
export const longTests = [
  'test/e2e/app/playground.spec.ts',
  'test/e2e/app/speed.spec.ts',
  'test/e2e/app/sweep.spec.ts',
  'test/e2e/app/vision.spec.ts',
  'test/e2e/app/vision.then-images.spec.ts',
  'test/e2e/app/vision.then-predictions.spec.ts',
  'test/e2e/cluster.test.ts',
  'test/e2e/command-line-resume.test.ts',
  'test/e2e/hostile-clients.test.ts',
  'test/e2e/killed.test.ts',
  'test/e2e/sweep.test.ts',
  'test/fuzz/fuzz.test.ts',
  'test/gpu/llama-cpp.test.ts',
  'test/gpu/swiftshader.test.ts',
  'test/integration/electron/full-disk.test.ts',
  'test/integration/electron/playground.test.ts',
  'test/integration/electron/speeds.test.ts',
  'test/integration/engine-run/criteria.test.ts',
  'test/integration/engine-run/evaluation-in-parts.test.ts',
  'test/integration/engine-run/finished.test.ts',
]
