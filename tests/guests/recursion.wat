;; Calls itself without end.
(module
  (memory (export "memory") 2)
  (func $deeper (result i64) (i64.add (call $deeper) (i64.const 1)))
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (call $deeper)))
