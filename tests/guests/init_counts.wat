;; Answers with how often caxton_init was called, plus its two arguments, in 4 bytes.
(module
  (memory (export "memory") 2)
  (func (export "caxton_init") (param i32 i32) (result i32)
    (i32.store (i32.const 1024)
      (i32.add (i32.add (i32.load (i32.const 1024)) (i32.const 1)) (i32.add (local.get 0) (local.get 1))))
    (i32.const 0))
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0x40000000004)))
