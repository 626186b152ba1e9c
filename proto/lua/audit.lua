-- Writes down what was done.
--
-- KEYS[1]  {cluster}:audit
-- ARGV     1 who, 2 what, 3 new value
-- reply    id of the entry
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', '65536', '*', 'who', ARGV[1], 'via', 'tessera-ctl', 'what', ARGV[2], 'old', '',
                  'new', ARGV[3])
