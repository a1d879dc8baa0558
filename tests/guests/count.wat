;; Counts its messages and answers with the count in 8 bytes; to a message of one byte or more, with error code -7.
(module
  (memory (export "memory") 2)
  (global $count (mut i64) (i64.const 0))
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32) (param $length i32) (result i64)
    (global.set $count (i64.add (global.get $count) (i64.const 1)))
    (if (result i64) (local.get $length)
      (then (i64.const -7))
      (else (i64.store (i32.const 1024) (global.get $count)) (i64.const 0x40000000008)))))
