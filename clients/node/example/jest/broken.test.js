// A file that does not load: Jest reports the file itself.
throw new Error('does not load');
