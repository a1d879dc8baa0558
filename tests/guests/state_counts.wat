;; Encoding msgpack. Counts its turns in its state: returns {"state": <the count, 8 bytes>} after each turn, and goes on
;; from the state it is started with. Refuses with 4 a state of another length, or one that is not in the in buffer.
(module
  (memory (export "memory") 4)
  (data (i32.const 1024) "\81\a5state\c4\08")
  (func (export "caxton_init") (param $pointer i32) (param $length i32) (result i32)
    (if (i32.eqz (i32.or (local.get $pointer) (local.get $length))) (then (return (i32.const 0))))
    (if (i32.or (i32.ne (local.get $pointer) (i32.const 65536)) (i32.ne (local.get $length) (i32.const 8)))
      (then (return (i32.const 4))))
    (i64.store (i32.const 1033) (i64.load (local.get $pointer)))
    (i32.const 0))
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64)
    (i64.store (i32.const 1033) (i64.add (i64.load (i32.const 1033)) (i64.const 1)))
    (i64.const 0x40000000011)))
