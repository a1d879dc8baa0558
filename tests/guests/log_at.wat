;; Logs at the level, pointer and length that its message holds as three i32, then answers nothing.
(module
  (import "caxton_v1" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 1024) "at your service")
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param $at i32) (param i32) (result i64)
    (call $log (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)) (i32.load offset=8 (local.get $at)))
    (i64.const 0)))
