// A file that does not load: Vitest reports the file itself.
throw new Error('does not load');
